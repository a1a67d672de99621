"""Metrics: one definition each, over one mart; `docs/metrics.md` lists them, `registry` finds them."""
