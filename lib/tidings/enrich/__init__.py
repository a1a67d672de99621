"""What a raw value says beside itself: user agents, referrers, channels, countries, pseudonyms, redaction."""
