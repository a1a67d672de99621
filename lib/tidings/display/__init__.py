"""What a reader sees inside a notebook's output: figures, charts, tables and sentences, in one look."""
