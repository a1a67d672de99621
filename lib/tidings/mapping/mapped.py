"""What sources that map columns to a feed have in common, whatever they read."""

from __future__ import annotations

from typing import Protocol

from tidings.mapping.options import FileOptions
from tidings.mapping.shapes import Shape
from tidings.settings import Settings


class MappedSource(Protocol):
    """A configured source whose columns are mapped to those of a feed."""

    @property
    def name(self) -> str:
        """Its name in the settings."""

    @property
    def shape(self) -> Shape:
        """What its rows are."""

    @property
    def options(self) -> FileOptions:
        """How they are read."""

    @property
    def settings(self) -> Settings:
        """Those of the workbook."""
