"""A source that is asked endpoint by endpoint, day by day."""
