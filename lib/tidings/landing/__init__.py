"""The raw store `data/raw`: loads, their manifest, restatements."""
