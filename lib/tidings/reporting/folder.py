"""The folder of a slot: filled beside its place, then put there whole."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tidings.errors import RunError


@contextmanager
def filling(target: Path) -> Iterator[Path]:
    """A new folder beside `target`, moved there when the block ends without an error; what was there is replaced.

    Raises:
        RunError: the disk does not take it.
    """
    beside, before = (target.parent / f".{target.name}.{what}.{os.getpid()}" for what in ("new", "before"))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _sweep(target.parent)
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        yield beside
        if target.exists():
            target.rename(before)
        beside.rename(target)
        shutil.rmtree(before, ignore_errors=True)
    except OSError as error:
        raise RunError(f"The pages cannot be written to {target}: {error}.", "Free the disk or its rights.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Put right what killed runs left: their unfinished folders go, a slot they had moved aside comes back."""
    for left in folder.glob(".*.*.*"):
        slot, what, owner = left.name[1:].rsplit(".", 2)
        if not owner.isdigit() or _is_alive(int(owner)):
            continue
        if what == "before" and not (folder / slot).exists():
            left.rename(folder / slot)
        else:
            shutil.rmtree(left, ignore_errors=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        return True
    return True
