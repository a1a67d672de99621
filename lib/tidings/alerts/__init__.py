"""Alerts: rules over figures, sources and loads, judged day by day; what is open lies in the ledger (decision 22)."""
