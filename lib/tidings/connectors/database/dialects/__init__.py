"""What differs by database: connecting, converting values to text, the meaning of errors."""
