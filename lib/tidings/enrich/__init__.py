"""Derives facts from raw values: user agents, referrers, channels, countries, pseudonyms, redaction."""
