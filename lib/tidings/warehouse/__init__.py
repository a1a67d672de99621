"""Builds of the warehouse, and reading them; only this package knows an engine."""
