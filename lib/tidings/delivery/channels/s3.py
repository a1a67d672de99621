"""The static site of `pages` in any S3-compatible store, through the library boto3, an extra.

Every file is to be revalidated by who keeps it (`no-cache`): a run that is made again replaces its pages, and an old
page beside a new index would be wrong in silence.
"""

from __future__ import annotations

import mimetypes
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Annotated, Any

from msgspec import Meta

from tidings.delivery.channel import ChannelKind, DeliveryError, Receipt, variable
from tidings.delivery.message import Message
from tidings.delivery.site import Site, SiteOptions, publish, site_of
from tidings.delivery.stores import INDEX, Files
from tidings.errors import SettingsError
from tidings.options import OptionalText, Text
from tidings.secrets import Redactor, Secret
from tidings.settings import Settings

TRIES = 3
_CONNECT_S, _READ_S = 10, 60
_ENDPOINT = Meta(pattern=r"^(https?://[^\s?#]+)?\Z", title="an http address", examples=['"https://s3.example.com"'])
_PREFIX = Meta(pattern=r"^[^\0]*\Z", title="the beginning of all names", examples=['"reports"'])
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".xml": "application/atom+xml; charset=utf-8",
    ".json": "application/json",
    ".ipynb": "application/x-ipynb+json",
    ".csv": "text/csv; charset=utf-8",
}
_NOT_THERE = frozenset({"404", "NoSuchKey", "NotFound"})
_KEYS = "Compare the keys and their rights: it takes s3:ListBucket, s3:GetObject, s3:PutObject, s3:DeleteObject."
_REMEDIES = {
    "NoSuchBucket": "Make the bucket, or correct its name, endpoint or region.",
    "404": "Make the bucket, or correct its name, endpoint or region.",
    "PermanentRedirect": "Correct the region or the endpoint.",
    **dict.fromkeys(("403", "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch"), _KEYS),
}
_LATER = frozenset({"SlowDown", "RequestTimeout", "RequestTimeTooSkewed", "OperationAborted", "ServiceUnavailable"})


class S3Options(SiteOptions, frozen=True, kw_only=True):
    """Options of a site in a bucket."""

    bucket: Annotated[Text, "the bucket"]
    prefix: Annotated[OptionalText, "the folder in it", _PREFIX] = ""
    endpoint: Annotated[OptionalText, "the store's address; by default Amazon's", _ENDPOINT] = ""
    region: Annotated[Text, "the store's region"] = "us-east-1"


@dataclass(frozen=True)
class S3Store:
    """A folder in a bucket."""

    channel: str
    bucket: str
    prefix: str
    client: Any = field(repr=False)
    redact: Redactor = field(repr=False)

    def exclusive(self) -> AbstractContextManager[None]:
        """There are no locks in a bucket: one workbook a prefix."""
        return nullcontext()

    def read(self, name: str) -> bytes | None:
        with self._told():
            try:
                content: bytes = self.client.get_object(Bucket=self.bucket, Key=self._key(name))["Body"].read()
            except self.client.exceptions.ClientError as error:
                if _code(error) in _NOT_THERE:
                    return None
                raise
            return content

    def write(self, name: str, content: bytes) -> None:
        with self._told():
            self.client.put_object(
                Bucket=self.bucket,
                Key=self._key(name),
                Body=content,
                ContentType=_type_of(name),
                CacheControl="no-cache",
            )

    def replace_folder(self, name: str, files: Files) -> None:
        for each in sorted(files, key=lambda each: (each == INDEX, each)):
            self.write(f"{name}/{each}", files[each])
        with self._told():
            kept = {self._key(f"{name}/{each}") for each in files}
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self._key(f"{name}/")):
                for found in page.get("Contents", ()):
                    if found["Key"] not in kept:
                        self.client.delete_object(Bucket=self.bucket, Key=found["Key"])

    def faults(self) -> tuple[str, ...]:
        """What would make writing fail, as sentences."""
        try:
            with self._told():
                self.client.head_bucket(Bucket=self.bucket)
        except DeliveryError as error:
            return (str(error),)
        return ()

    def _key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name

    @contextmanager
    def _told(self) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError

        failed = f"The channel {self.channel} cannot write to the bucket {self.bucket}"
        try:
            yield
        except ClientError as error:
            code = _code(error)
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            is_later = code in _LATER or status == 429 or (status or 0) >= 500
            raise DeliveryError(
                f"{failed}: the store says {self.redact(code)}.",
                "" if is_later else _REMEDIES.get(code, "Check bucket, endpoint and region."),
                outlook="temporary" if is_later else "permanent",
                code=status,
                answer=self.redact(str(error)),
            ) from None
        except BotoCoreError as error:
            # The libraries' own messages hold whole addresses.
            raise DeliveryError(
                f"{failed}: there is no connection ({type(error).__name__}).",
                "Check the endpoint and this machine's network.",
                outlook="temporary",
            ) from None


@dataclass
class S3:
    """An opened bucket."""

    name: str
    store: S3Store
    site: Site
    is_personal: bool = False
    is_repeatable: bool = True

    def check(self) -> Sequence[str]:
        """Whether the bucket is there and the keys may see it."""
        return self.store.faults()

    def send(self, message: Message, offered: Callable[[], None]) -> Receipt:
        """Put the run into the site; the site's index comes last."""
        runs = publish(message, self.site, self.store, offered)
        return Receipt(None, f"run {message.slot} of {runs} in {self.store.bucket}/{self.store.prefix}".rstrip("/"))


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def _type_of(name: str) -> str:
    ending = f".{name.rpartition('.')[2]}"
    return _TYPES.get(ending) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def _open(name: str, options: S3Options, settings: Settings) -> S3:
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError:
        raise SettingsError(
            f"The channel {name} needs the library boto3, which is not installed.", 'Run: pip install "tidings[s3]"'
        ) from None
    identity, key = (Secret(settings.secret(variable(name, each)).strip()) for each in S3_KIND.secrets)
    config = Config(
        connect_timeout=_CONNECT_S,
        read_timeout=_READ_S,
        retries={"total_max_attempts": TRIES, "mode": "standard"},
        # A store of one's own seldom has a name for each bucket, and many refuse newer checksums.
        s3={"addressing_style": "path" if options.endpoint else "auto"},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        ignore_configured_endpoint_urls=True,
    )
    try:
        client = boto3.session.Session().client(
            "s3",
            region_name=options.region,
            endpoint_url=options.endpoint or None,
            aws_access_key_id=identity.reveal(),
            aws_secret_access_key=key.reveal(),
            config=config,
        )
    except (BotoCoreError, ValueError) as error:
        raise SettingsError(
            f"[tool.tidings.channels.{name}] cannot be opened ({type(error).__name__}).",
            "Check endpoint and region, and what AWS_… variables say.",
        ) from None
    store = S3Store(name, options.bucket, options.prefix.strip("/"), client, Redactor((identity, key)))
    return S3(name, store, site_of(options, settings))


S3_KIND = ChannelKind("s3", S3Options, _open, ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"))
