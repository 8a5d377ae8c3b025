"""A deterministic, seeded, in-memory Kafka and store, and schedules of faults for the engine to survive."""
