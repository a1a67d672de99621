"""Visitors without identity: daily salts, pseudonyms, truncated addresses (metric definitions 11)."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import secrets
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from tidings.errors import SourceError
from tidings.window import hours_before

_SECOND: Final = 1_000_000
_DAY: Final = 86_400 * _SECOND
_SESSION_GAP: Final = 1_800 * _SECOND
_SALT_AGE_HOURS: Final = 48


def truncate_address(address: str | None) -> str | None:
    """An address without its host part: IPv4 with last octet 0, IPv6 with its first 48 bits; null if it is not one
    (11).
    """
    try:
        ip = ipaddress.ip_address((address or "").strip())
    except ValueError:
        return None
    ip = getattr(ip, "ipv4_mapped", None) or ip
    network = ipaddress.ip_network((int(ip), 24) if ip.version == 4 else (int(ip), 48), strict=False)
    return str(network.network_address)


class Salts:
    """Random salts of UTC days. Those younger than 48 h are stored in a file that only its owner can read.

    Salts of older days, as an old log needs them, live in memory only: the files of one pull agree, and nobody can
    recompute a pseudonym afterwards.
    """

    def __init__(self, file: Path, now: datetime) -> None:
        """Read the file and delete from it the salts that started more than 48 h before `now` (aware).

        Raises:
            SourceError: the file is not what this class wrote.
        """
        self._file = file
        self._kept_from = hours_before(now, _SALT_AGE_HOURS).strftime("%Y-%m-%dT%H:%M:%S")
        self._salts = self._read()
        if any(not self._is_kept(day) for day in self._salts):
            self._salts = {day: salt for day, salt in self._salts.items() if self._is_kept(day)}
            self._write()

    def of(self, day: int) -> bytes:
        """The salt of a UTC day, counted from 1970-01-01; created and, if young enough, stored on the first call."""
        name = str(np.datetime64(day, "D"))
        salt = self._salts.get(name)
        if salt is None:
            salt = self._salts[name] = secrets.token_bytes(32)
            if self._is_kept(name):
                self._write()
        return salt

    def _is_kept(self, day: str) -> bool:
        return f"{day}T00:00:00" >= self._kept_from

    def _read(self) -> dict[str, bytes]:
        if not self._file.exists():
            return {}
        try:
            return {
                date.fromisoformat(day).isoformat(): bytes.fromhex(salt)
                for day, salt in json.loads(self._file.read_text(encoding="utf-8")).items()
            }
        except (ValueError, AttributeError, TypeError) as error:
            raise SourceError(
                f"The salts in {self._file} cannot be read: {error}.",
                "Delete the file: visitors of today get new pseudonyms once.",
            ) from error

    def _write(self) -> None:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps({day: salt.hex() for day, salt in sorted(self._salts.items()) if self._is_kept(day)})
        beside = self._file.with_suffix(".tmp")
        beside.unlink(missing_ok=True)
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(text)
            out.flush()
            os.fsync(out.fileno())
        beside.replace(self._file)


class Pseudonyms:
    """Pseudonyms of the hits of one site in one pull (metric definitions 11).

    A hit's id is a keyed hash of site, address and user agent under the salt of the UTC day on which its chain of hits,
    each at most 1,800 s after the one before, started: a session that crosses midnight keeps its id.
    """

    def __init__(self, salts: Salts, site: str) -> None:
        self._salts = salts
        self._site = site
        # Last hit of each client and the day its chain started, so that a log rotated at midnight makes no difference.
        self._open: dict[tuple[str, str], tuple[int, int]] = {}

    def assign(
        self, ts: npt.NDArray[np.int64], clients: Sequence[tuple[str, str]], client: npt.NDArray[np.int64]
    ) -> list[str]:
        """One pseudonym (24 hex digits) per hit, in the order given.

        `ts`: instants in UTC microseconds; `clients`: distinct (address, user agent); `client`: each hit's index in
        `clients`. Calls for several files keep a session together if they come in time order.
        """
        if not len(ts):
            return []
        order = np.lexsort((ts, client))
        when, who = ts[order], client[order]
        first = np.r_[True, who[1:] != who[:-1]]
        starts = first | np.r_[True, np.diff(when) > _SESSION_GAP]
        began = np.flatnonzero(starts)
        chain = np.cumsum(starts) - 1
        day = when[starts] // _DAY
        for index in np.flatnonzero(first[starts]) if self._open else ():
            position = began[index]
            day[index] = self._continued(clients[who[position]], int(when[position]), int(day[index]))
        self._remember(when, who, day[chain], clients)

        names = np.empty(len(ts), dtype=object)
        pairs, inverse = np.unique(np.stack([who, day[chain]]), axis=1, return_inverse=True)
        names[order] = np.array([self._name(clients[c], int(d)) for c, d in pairs.T], dtype=object)[inverse.ravel()]
        return list(names)

    def _continued(self, client: tuple[str, str], when: int, day: int) -> int:
        last, first_day = self._open.get(client, (when, day))
        return first_day if 0 <= when - last <= _SESSION_GAP else day

    def _remember(
        self,
        when: npt.NDArray[np.int64],
        who: npt.NDArray[np.int64],
        day: npt.NDArray[np.int64],
        clients: Sequence[tuple[str, str]],
    ) -> None:
        horizon = int(when.max()) - _SESSION_GAP
        self._open = {client: state for client, state in self._open.items() if state[0] >= horizon}
        lasts = np.r_[who[1:] != who[:-1], True] & (when >= horizon)
        for position in np.flatnonzero(lasts):
            self._open[clients[who[position]]] = (int(when[position]), int(day[position]))

    def _name(self, client: tuple[str, str], day: int) -> str:
        # Length prefixes: no two different triples make the same bytes.
        parts = [part.encode("utf-8", "surrogateescape") for part in (self._site, *client)]
        message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
        return hashlib.blake2b(message, key=self._salts.of(day), digest_size=12).hexdigest()
