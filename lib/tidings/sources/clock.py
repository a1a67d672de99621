"""Time as a pull sees it: when it began, how long it has gone on, and waiting that can be interrupted."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from tidings.errors import StoppedError


class Clock:
    """Instants since a pull began at `now` (aware UTC). Tests hand in one of their own that never really waits."""

    def __init__(self, now: datetime, stop: threading.Event | None = None) -> None:
        self._began = now.astimezone(UTC).timestamp()
        self._origin = time.monotonic()
        self._stop = stop or threading.Event()

    def seconds(self) -> float:
        """Seconds since the pull began."""
        return time.monotonic() - self._origin

    def epoch(self) -> float:
        """The present instant as Unix seconds: what tokens are dated with."""
        return self._began + self.seconds()

    def sleep(self, seconds: float) -> None:
        """Wait.

        Raises:
            StoppedError: the pull was stopped meanwhile.
        """
        if self._stop.wait(max(seconds, 0)):
            raise StoppedError
