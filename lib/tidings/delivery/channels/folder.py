"""The pages of a run copied to a folder elsewhere, as on a file server: `<path>/<report>/<slot>/`, and `latest`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from tidings.delivery.channel import ChannelKind, Receipt
from tidings.delivery.message import Message
from tidings.delivery.site import LATEST, newest, pages_of
from tidings.delivery.stores import INDEX, LocalStore, local_store
from tidings.options import Options, Text
from tidings.settings import Settings


class FolderOptions(Options, frozen=True):
    """Options of a folder."""

    path: Annotated[Text, "the folder, from the workbook's or absolute"]
    with_notebooks: Annotated[bool, "executed notebooks and run.json as well"] = False


@dataclass
class Folder:
    """An opened folder."""

    name: str
    store: LocalStore
    with_notebooks: bool
    is_personal: bool = False
    is_repeatable: bool = True

    def check(self) -> Sequence[str]:
        """Whether this user may write there."""
        return self.store.faults()

    def send(self, message: Message, offered: Callable[[], None]) -> Receipt:
        """Copy the pages beside their place and exchange them with what is there; then `latest`."""
        pages = pages_of(message, with_notebooks=self.with_notebooks)
        offered()
        with self.store.exclusive():
            self.store.replace_folder(f"{message.report}/{message.slot}", pages)
            if newest(self._slots(message.report)) == message.slot:
                latest = f"{message.report}/{LATEST}"
                if not self.store.link(latest, message.slot):
                    self.store.replace_folder(latest, pages)
        return Receipt(None, f"{len(pages)} files in {self.store.root / message.report / message.slot}")

    def _slots(self, report: str) -> list[str]:
        there = (self.store.root / report).glob(f"*/{INDEX}")
        return [name for index in there if (name := index.parent.name) != LATEST and not name.startswith(".")]


def _open(name: str, options: FolderOptions, settings: Settings) -> Folder:
    return Folder(name, local_store(settings, name, options.path), options.with_notebooks)


FOLDER = ChannelKind("folder", FolderOptions, _open)
