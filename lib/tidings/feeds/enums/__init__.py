"""The vendors' enumerations, each a table with its source."""
