"""A page in headless Chromium, offline, and what is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe


class Opened:
    """A page in the browser, and everything it asked for or complained about."""

    def __init__(self, browser: Any, file: Path, *, fragment: str | None = None, **context: Any) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.page = browser.new_context(offline=True, **context).new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("requestfailed", lambda request: self.complaints.append(f"failed: {request.url}"))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(file.as_uri() + ("" if fragment is None else f"#{fragment}"))

    def count(self, selector: str) -> int:
        return len(self.page.query_selector_all(selector))

    def barriers(self) -> list[str]:
        """Serious and critical axe findings, with everything unfolded, so that what is folded is looked at as well."""
        self.page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
        return [
            f"{violation['id']}: {node['html'][:200]}"
            for violation in Axe().run(self.page).response["violations"]
            if violation["impact"] in ("serious", "critical")
            for node in violation["nodes"]
        ]
