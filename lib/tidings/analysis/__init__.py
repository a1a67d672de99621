"""Statistics without I/O: tables and numbers in, tables and numbers out."""
