"""Sources that are requested endpoint by endpoint, day by day."""
