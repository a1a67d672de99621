"""The framework of sources: what a source is, `http/`, `api/`, records. The sources themselves are in `connectors/`."""
