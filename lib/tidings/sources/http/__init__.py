"""HTTP: transport, what counts as a response, paging, authentication."""
