"""What the product costs and how fast it is, measured on a real Kafka: tests/benchmarks/run."""
