"""A segment kept in step with a list at a destination."""
