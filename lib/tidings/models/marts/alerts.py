"""Alerts of the workbook's own rules."""

from __future__ import annotations

import ibis.expr.types as ir

from tidings.ledger.alert_table import COLUMNS
from tidings.models.model import model


@model(grain="opening of an alert", key=("alert",), columns=COLUMNS)
def fct_alerts(raw_alerts: ir.Table) -> ir.Table:
    """An opening of an alert and what became of it; a build has none, a book shows the ledger's (decision 22)."""
    return raw_alerts
