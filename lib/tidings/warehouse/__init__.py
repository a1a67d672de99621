"""Builds of the warehouse, and reading them; only here is an engine known."""
