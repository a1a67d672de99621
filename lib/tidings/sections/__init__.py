"""What sections ask beyond single metrics: a book in, answers and series out; one module per section."""
