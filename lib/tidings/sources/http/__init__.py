"""One way of asking a server: transport, what counts as a response, pages, signatures."""
