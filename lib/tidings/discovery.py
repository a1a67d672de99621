"""Discovery: every module-level object of a type, in our packages and in a workbook's own `lib/`.

To add one, write it into such a module; nothing is registered. A workbook's own packages may contain any type, in
modules of any name; they are found once the workbook's settings have been read.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType, ModuleType
from typing import Any, TypeVar

from tidings.errors import SettingsError, TidingsError

_Found = TypeVar("_Found")
_own: Path | None = None


def discover(kind: type[_Found], word: str, *packages: str) -> Mapping[str, _Found]:
    """Every object of a type by its `name`, sorted; also those in tuples. `word` is the type's name in errors.

    Raises:
        SettingsError: two of one name, or a module of the workbook that cannot be imported.
    """
    of_type: Any = kind
    found: Mapping[str, _Found] = _discovered(of_type, word, packages, tuple(own_files()))
    return found


@cache
def _discovered(kind: Any, word: str, packages: tuple[str, ...], own: tuple[str, ...]) -> Mapping[str, Any]:
    found: dict[str, Any] = {}
    places: dict[str, str] = {}
    for module in (*_modules(packages), *map(_imported, own)):
        for value in vars(module).values():
            for each in value if isinstance(value, tuple) else (value,):
                if not isinstance(each, kind) or found.get(each.name) is each:
                    continue
                if each.name in found:
                    raise SettingsError(
                        f"Two {word}s are called {each.name}: in {places[each.name]} and in {module.__name__}.",
                        "Rename one of them.",
                    )
                found[each.name], places[each.name] = each, module.__name__
    return MappingProxyType(dict(sorted(found.items())))


def _modules(packages: tuple[str, ...]) -> Iterator[ModuleType]:
    for package in packages:
        folders = importlib.import_module(package).__path__
        names = [info.name for info in pkgutil.walk_packages(folders, prefix=f"{package}.")]
        yield from map(importlib.import_module, [package, *sorted(names)])


def use(root: Path) -> None:
    """Make the packages in `root/lib` importable and discoverable.

    A process serves only one workbook with own code: another's modules of the same names could not be distinguished.

    Raises:
        SettingsError: this process uses the code of another workbook.
    """
    global _own  # noqa: PLW0603 - what can be imported is a fact of the process, as sys.path is
    folder = root / "lib"
    if folder == _own:
        return
    if _own is not None:
        raise SettingsError(
            f"This process runs the code in {_own}: it cannot open {root} as well.",
            "Open the other workbook in a process, or a notebook, of its own.",
        )
    if _sources(folder):
        _own = folder
        # Last, so that nothing in the workbook shadows an installed package.
        sys.path.append(str(folder))
        importlib.invalidate_caches()


def own_files() -> Mapping[str, Path]:
    """The modules in the workbook's own `lib/` and their files, sorted."""
    return {} if _own is None else _sources(_own)


def _sources(folder: Path) -> dict[str, Path]:
    found = {}
    for file in folder.rglob("*.py"):
        parts = file.relative_to(folder).with_suffix("").parts
        # In a checkout of Tidings `lib/` contains Tidings, in a virtual environment `python3.12/site-packages`.
        if all(part.isidentifier() for part in parts) and parts[0] != "tidings" and parts[-1] != "__main__":
            found[".".join(parts).removesuffix(".__init__")] = file
    return dict(sorted(found.items()))


def _imported(name: str) -> ModuleType:
    try:
        module = importlib.import_module(name)
    except TidingsError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise SettingsError(
            f"The module {name} in {_own} cannot be imported: {reason}.", "Correct it, or take it out."
        ) from error
    if _own is not None and Path(module.__file__ or "") != own_files()[name]:
        raise SettingsError(f"The module {name} in {_own} has the name of one that is installed.", "Rename it.")
    return module
