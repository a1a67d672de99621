"""What a user does to sources: pull, add, drop, try."""
