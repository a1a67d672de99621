"""Time as a pull sees it: when it started, how long it has been running, and sleeping that can be interrupted."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime

from tidings.errors import StoppedError


class Clock:
    """The time since a pull started at `now` (aware UTC). Tests pass in one that never really sleeps."""

    def __init__(self, now: datetime, stop: threading.Event | None = None) -> None:
        self._began = now.astimezone(UTC).timestamp()
        self._origin = time.monotonic()
        self._stop = stop or threading.Event()

    def seconds(self) -> float:
        return time.monotonic() - self._origin

    def epoch(self) -> float:
        """The present instant as Unix seconds, for token claims."""
        return self._began + self.seconds()

    def sleep(self, seconds: float) -> None:
        """Sleep unless the pull is stopped.

        Raises:
            StoppedError: the pull was stopped meanwhile.
        """
        if self._stop.wait(max(seconds, 0)):
            raise StoppedError
