"""Files into cells, and cells into values, by a grammar; knows no feed."""
