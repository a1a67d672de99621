"""Country by address, from a file in MaxMind's format that the user supplies."""

from __future__ import annotations

import functools
import ipaddress
import itertools
from pathlib import Path
from typing import Final

import maxminddb

from tidings.errors import SourceError

_REMEDY: Final = "Set `geoip` in [tool.tidings] to a country or city file in MaxMind's format (.mmdb), or leave it out."
# Some networks have no country; a country file shows one well before this many records.
_PROBE: Final = 1_000


class Places:
    """Looks up countries by address; `country` is cached per distinct address. Close it, or use it in a `with`."""

    def __init__(self, file: Path) -> None:
        """Open the file.

        Raises:
            SourceError: it is missing, not in MaxMind's format, or holds no countries.
        """
        try:
            self._reader = maxminddb.open_database(file)
        except FileNotFoundError as error:
            raise SourceError(f"The country file {file} does not exist.", _REMEDY) from error
        except (maxminddb.InvalidDatabaseError, OSError, ValueError) as error:
            raise SourceError(f"{file} is not a file in MaxMind's format: {error}", _REMEDY) from error
        if not any(_iso_code(record) for _, record in itertools.islice(self._reader, _PROBE)):
            kind = self._reader.metadata().database_type
            self._reader.close()
            raise SourceError(f"{file} holds no countries: it is of type '{kind}'.", _REMEDY)
        self._four_only = self._reader.metadata().ip_version == 4
        self.country = functools.lru_cache(maxsize=262_144)(self._country)

    def __enter__(self) -> Places:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def _country(self, address: str) -> str | None:
        """ISO 3166 code (two letters) of the address; null if the text is not an address or the file has no country
        for it.
        """
        try:
            ip = ipaddress.ip_address(address.strip())
        except ValueError:
            return None
        ip = getattr(ip, "ipv4_mapped", None) or ip
        if ip.version == 6 and self._four_only:
            return None
        return _iso_code(self._reader.get(ip))


def _iso_code(record: object) -> str | None:
    # MaxMind nests {"country": {"iso_code": "DE"}}; public-domain files are flat: {"country_code": "DE"}.
    if not isinstance(record, dict):
        return None
    country = record.get("country")
    code = country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country)
    return code.upper() if isinstance(code, str) and len(code) == 2 and code.isalpha() else None
