"""The kinds of channels, a file each."""
