"""Countries by address from files in MaxMind's format."""

from __future__ import annotations

import ipaddress
import json
from pathlib import Path

import maxminddb
import pytest

from tidings.enrich.geography import Places
from tidings.errors import SourceError


def networks(file: Path) -> list[tuple[str, dict[str, object]]]:
    """First addresses of the networks of a source file, and their records; `::1.2.3.0/120` means IPv4 1.2.3.0/24."""
    found = []
    for entry in json.loads(file.read_text(encoding="utf-8")):
        for network, record in entry.items():
            # The source writes some networks with the host's bits set.
            address = ipaddress.ip_network(network, strict=False).network_address
            low = int(address) < 2**32
            found.append((str(ipaddress.IPv4Address(int(address))) if low else str(address), record))
    return found


@pytest.mark.data
def test_every_network_of_the_source_has_its_country(shared_data: Path) -> None:
    folder = shared_data / "geoip" / "maxmind_test"
    known = networks(folder / "GeoIP2-Enterprise-Test.json")
    with Places(folder / "GeoIP2-Enterprise-Test.mmdb") as places:
        for address, record in known:
            country = record.get("country")
            assert places.country(address) == (country["iso_code"] if isinstance(country, dict) else None), address
    assert len(known) == 34


@pytest.mark.data
def test_nested_and_flat_records(shared_data: Path) -> None:
    with Places(shared_data / "geoip" / "maxmind_test" / "GeoIP2-City-Test.mmdb") as places:
        assert places.country("81.2.69.160") == "GB"
        assert places.country("::ffff:81.2.69.160") == "GB"  # an IPv4 address in IPv6 clothes
    with Places(shared_data / "geoip" / "country_ipv4_cc0.mmdb") as places:
        assert places.country("83.149.9.216") == "RU"
        assert places.country("::ffff:83.149.9.216") == "RU"
        assert places.country("2001:db8::1") is None  # the file knows IPv4 only
        assert places.country("127.0.0.1") is None
        assert places.country("dialup-7.example") is None  # a name is no address


@pytest.mark.data
@pytest.mark.parametrize("name", ["GeoIP2-Anonymous-IP-Test", "GeoIP2-ISP-Test", "GeoLite2-ASN-Test"])
def test_a_file_without_countries_is_rejected_by_its_type(shared_data: Path, name: str) -> None:
    file = shared_data / "geoip" / "maxmind_test" / f"{name}.mmdb"
    with maxminddb.open_database(file) as reader:
        kind = reader.metadata().database_type
    with pytest.raises(SourceError, match=f"holds no countries: it is of type '{kind}'"):
        Places(file)


def test_a_missing_or_wrong_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.mmdb does not exist"):
        Places(tmp_path / "none.mmdb")
    wrong = tmp_path / "wrong.mmdb"
    wrong.write_text("ip,country\n")
    with pytest.raises(SourceError, match=r"wrong\.mmdb is not a file in MaxMind's format.*Set `geoip`"):
        Places(wrong)
    wrong.write_bytes(b"")
    with pytest.raises(SourceError, match="is not a file in MaxMind's format"):
        Places(wrong)
