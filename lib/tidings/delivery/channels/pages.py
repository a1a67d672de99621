"""A static site of all published runs in a folder, for any server of files (see `delivery/site.py`)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from tidings.delivery.channel import ChannelKind, Receipt
from tidings.delivery.message import Message
from tidings.delivery.site import Site, SiteOptions, publish, site_of
from tidings.delivery.stores import LocalStore, local_store
from tidings.options import Text
from tidings.settings import Settings


class PagesOptions(SiteOptions, frozen=True, kw_only=True):
    """Options of a site in a folder."""

    path: Annotated[Text, "the folder, from the workbook's or absolute"]


@dataclass
class Pages:
    """An opened site in a folder."""

    name: str
    store: LocalStore
    site: Site
    is_personal: bool = False
    is_repeatable: bool = True

    def check(self) -> Sequence[str]:
        """Whether this user may write there."""
        return self.store.faults()

    def send(self, message: Message, offered: Callable[[], None]) -> Receipt:
        """Put the run into the site."""
        runs = publish(message, self.site, self.store, offered)
        return Receipt(None, f"run {message.slot} of {runs} in {self.store.root}")


def _open(name: str, options: PagesOptions, settings: Settings) -> Pages:
    return Pages(name, local_store(settings, name, options.path), site_of(options, settings))


PAGES = ChannelKind("pages", PagesOptions, _open)
