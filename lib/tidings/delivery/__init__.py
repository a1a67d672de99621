"""What leaves the machine: messages made of the record, and a file for each kind of channel."""
