"""A mail: what it says of a message, how it looks, what it is on the wire, and the server it is given to."""
