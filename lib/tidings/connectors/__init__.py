"""Where data come from: a folder per vendor or kind, each with a `SourceKind`."""
