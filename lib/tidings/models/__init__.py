"""Models: tables made from tables, their graph and their contracts."""
