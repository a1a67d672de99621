"""Putting an exported file in its place: whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from tidings.errors import RunError, remedy_of


@contextmanager
def placed(target: Path) -> Iterator[Path]:
    """A path to write to, which replaces `target`, a file or an empty folder, when the block ends without an error.

    Raises:
        RunError: the disk does not take it.
    """
    beside: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = Path(mkdtemp(prefix=".export.", dir=target.parent))
        draft = beside / target.name
        yield draft
        draft.replace(target)
    except OSError as error:
        reason, remedy = remedy_of(error)
        raise RunError(f"{target} cannot be written: {reason}.", remedy) from error
    finally:
        if beside is not None:
            shutil.rmtree(beside, ignore_errors=True)
