"""What sections ask beyond single metrics: a book in, results and series out; one module per section."""
