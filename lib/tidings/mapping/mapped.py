"""What all sources with mapped columns have in common."""

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
        """The feed, with its helper and derived columns."""

    @property
    def options(self) -> FileOptions:
        """The options of its mapping."""

    @property
    def settings(self) -> Settings:
        """Those of the workbook."""
