"""TLS servers on loopback whose certificates are not acceptable, and one that is good."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fakes.server import FakeApi, Request, route

_DAY = timedelta(days=1)


class Hello(FakeApi):
    """Responds to everything."""

    @route("GET", "/.*")
    def hello(self, request: Request) -> object:
        return {"hello": "world"}


def _name(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


@cache
def _authority(name: str) -> tuple[ec.EllipticCurvePrivateKey, x509.Certificate]:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name(name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 400 * _DAY)
        .not_valid_after(now + 400 * _DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True, False, False),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    return key, made


def _files(folder: Path, what: str) -> Path:
    """Key and certificate of the server, in one file."""
    authority_key, authority = _authority("somebody else" if what == "unknown" else "known")
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    address = "127.0.0.2" if what == "another name" else "127.0.0.1"
    made = (
        x509.CertificateBuilder()
        .subject_name(_name("server"))
        .issuer_name(authority.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - 300 * _DAY)
        .not_valid_after(now + (-_DAY if what == "expired" else 300 * _DAY))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    file.write_bytes(private + _pem(made))
    return file


@contextmanager
def certified(what: str) -> Iterator[tuple[ssl.SSLContext, str]]:
    """What a server needs whose certificate is `expired`, of an `unknown` authority, for `another name` or `good`; and
    the file of the authority that is known."""
    with tempfile.TemporaryDirectory(prefix="tidings-certificates-") as name:
        folder = Path(name)
        authority = folder / "authority.pem"
        authority.write_bytes(_pem(_authority("known")[1]))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(_files(folder, what))
        yield context, str(authority)


@contextmanager
def served(what: str) -> Iterator[tuple[str, str]]:
    """The address of such a server for HTTP, and the file of the authority that is known."""
    with certified(what) as (context, authority), Hello().running(tls=context) as url:
        yield url, authority
