"""The raw store `data/raw`: loads, their manifest, what was restated."""
