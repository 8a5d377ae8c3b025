"""What the soak is made of: a schedule, a crew of workers, faults, a watch, a comparison, a report."""
