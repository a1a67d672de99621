"""Sends what the ledger says is to be sent: each attempt is entered before it is made, and its end after."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from tidings.delivery.channel import Channel, DeliveryError, open_channel
from tidings.delivery.message import Message
from tidings.errors import TidingsError, understood
from tidings.ledger.deliveries import Deliveries, DeliveryEntry, DeliveryState
from tidings.secrets import Redactor
from tidings.settings import Settings
from tidings.window import seconds_after, seconds_between

MOST_ATTEMPTS = 8
_FIRST_WAIT = 60.0
_LONGEST_WAIT = 3600.0


@dataclass
class Outbox:
    """Sends deliveries by the channels of the settings, each opened once; `clock` gives the instant of each step."""

    settings: Settings
    deliveries: Deliveries
    clock: Callable[[], datetime]
    redact: Redactor
    _channels: dict[str, Channel] = field(default_factory=dict)

    def channel(self, name: str) -> Channel:
        """The channel of that name.

        Raises:
            SettingsError: it cannot be opened.
        """
        if name not in self._channels:
            self._channels[name] = open_channel(self.settings, name)
        return self._channels[name]

    def close(self) -> None:
        """Close what the channels hold open."""
        for channel in self._channels.values():
            close = getattr(channel, "close", None)
            if close is not None:
                close()

    def settle_dead(self) -> list[tuple[DeliveryEntry, DeliveryState]]:
        """Settle deliveries in the middle of which a process died; returns them with their states.

        What may have arrived is unknown, unless doing it twice is as good as once; what was not offered yet is due.
        """
        settled: list[tuple[DeliveryEntry, DeliveryState]] = []
        for delivery, attempt in self.deliveries.left_by_dead():
            was_offered = attempt.offered_at is not None and not self._is_repeatable(delivery.channel)
            state: DeliveryState = "unknown" if was_offered else "due"
            reason = "The process ended while the other side had it, before it answered." if was_offered else ""
            self.deliveries.end_attempt(
                delivery, attempt.id, state, self.clock(), outcome="killed", answer=reason, reason=reason
            )
            settled.append((delivery, state))
        return settled

    def send(self, delivery: DeliveryEntry, make: Callable[[], Message], on_time: float) -> DeliveryState:
        """Make one attempt at a delivery and enter what came of it; returns its state.

        A message that cannot be made and an error that nobody foresaw end it as failed, or as unknown once the other
        side may have it.
        """
        attempt = self.deliveries.begin_attempt(delivery.id, self.clock())
        offered = [False]

        def note_offered() -> None:
            offered[0] = True
            self.deliveries.offered(attempt, self.clock())

        try:
            receipt = self.channel(delivery.channel).send(make(), note_offered)
        except DeliveryError as error:
            return self._not_accepted(delivery, attempt, error)
        except BaseException as error:
            known = understood(error, self.settings.root) or TidingsError(type(error).__name__)
            stopped = not isinstance(error, Exception)
            ended: DeliveryState = "unknown" if offered[0] else "due" if stopped else "failed"
            reason = "" if ended == "due" else self.redact(str(known))
            self.deliveries.end_attempt(
                delivery, attempt, ended, self.clock(), outcome="stopped" if stopped else "failed", reason=reason
            )
            if stopped:
                raise
            return ended
        now = self.clock()
        late = seconds_between(delivery.due_at, now)
        self.deliveries.end_attempt(
            delivery,
            attempt,
            "delivered",
            now,
            outcome="accepted",
            code=receipt.code,
            answer=self.redact(receipt.answer),
            reason="",
            next_at=None,
            late_seconds=late if late > on_time else 0.0,
        )
        return "delivered"

    def _not_accepted(self, delivery: DeliveryEntry, attempt: int, error: DeliveryError) -> DeliveryState:
        now, reason = self.clock(), self.redact(str(error))
        made = len(self.deliveries.attempts(delivery.id))
        state: DeliveryState = {"unknown": "unknown", "permanent": "failed"}.get(error.outlook, "waiting")  # type: ignore[assignment]  # of these three
        about: dict[str, object] = {"reason": reason}
        if state == "waiting" and made >= MOST_ATTEMPTS:
            state, about = "failed", {"reason": f"{reason} It was tried {made} times."}
        elif state == "waiting":
            wait = min(_FIRST_WAIT * 2 ** (made - 1), _LONGEST_WAIT)
            about["next_at"] = seconds_after(now, max(wait, error.retry_after or 0.0))
            about["waited_for"] = tuple(dict.fromkeys((*delivery.waited_for, self.redact(error.failed))))
        self.deliveries.end_attempt(
            delivery,
            attempt,
            state,
            now,
            outcome=error.outlook,
            code=error.code,
            answer=self.redact(error.answer),
            **about,
        )
        return state

    def _is_repeatable(self, channel: str) -> bool:
        try:
            return self.channel(channel).is_repeatable
        except TidingsError:
            return False
