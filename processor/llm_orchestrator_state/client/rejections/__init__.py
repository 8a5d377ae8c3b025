"""What was not applied: finding it, understanding it, and publishing it again after a fix."""
