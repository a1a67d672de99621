"""The command `tidings`."""
