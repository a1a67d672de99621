"""Serve every API of the sample company on this machine, to try connectors without an account: `make fakes`.

The company's days end with yesterday. What to put into pyproject.toml and .env is printed; Ctrl-C ends it.
"""

from __future__ import annotations

import json
import signal
import sys
import tempfile
import threading
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fakes.company import fakes_of
from tidings.sample.apps import Apps
from tidings.sample.company import Company, Options

FIRST_PORT = 8801
DAYS = 365
SIZE = 0.2


def main() -> None:
    """Serve until interrupted."""
    company = Company(Options(size=SIZE, end=datetime.now(UTC).date(), days=DAYS))
    fakes = fakes_of(Apps(company))
    with ExitStack() as stack:
        keys = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="tidings-fakes-")))
        for port, (kind, fake) in enumerate(fakes.items(), FIRST_PORT):
            try:
                stack.enter_context(fake.running(port))
            except OSError as error:
                sys.exit(
                    f"{kind} cannot be served on port {port} ({error.strerror}). Stop what runs there: other fakes?"
                )
        # However it is ended, no key stays behind.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
        print("# pyproject.toml")
        for kind, fake in fakes.items():
            print(f"\n[tool.tidings.sources.{kind}]")
            for option, value in fake.table().items():  # type: ignore[attr-defined]
                print(f"{option} = {_toml(value)}")
        print("\n# .env")
        for kind, fake in fakes.items():
            for name, value in fake.environment(kind).items():  # type: ignore[attr-defined]
                print(f"{name}={_kept(keys, name, value)}")
        print(
            "\n# Serving; Ctrl-C ends it. Their limits are real: a first pull of all takes some four minutes.",
            flush=True,
        )
        try:
            threading.Event().wait()
        except KeyboardInterrupt:
            sys.exit(0)


def _kept(folder: Path, name: str, value: str) -> str:
    """A secret as .env holds it: one of several lines is a file that only its owner may read."""
    if "\n" not in value and not value.startswith("{"):
        return value
    file = folder / name
    file.touch(mode=0o600)
    file.write_text(value, encoding="utf-8")
    return str(file)


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)


if __name__ == "__main__":
    main()
