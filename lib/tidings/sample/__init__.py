"""The sample company: a simulated small digital business (a shop, an app, their services) whose truth is known.

`company.py`, `people.py` and `visits.py` are the base for every subject; add a subject as one more module beside
`commerce.py`, `web.py`, `service.py` and `vitals.py`, named in `simulation.py`.
"""

from __future__ import annotations

from tidings.sample.source import KIND, land_sample

__all__ = ["KIND", "land_sample"]
