"""Files into cells, and cells into values; knows no feed."""
