"""Pages as PDF, printed by the system's Chromium, which reaches nothing but the file it is given."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from tidings.errors import RunError, remedy_of
from tidings.exports.placing import placed
from tidings.exports.printable import printable

SECONDS = 120.0
"""Seconds of wall time that printing may take; six sections take about three."""
_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome")
_APPS = (
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
_INSTALL = (
    "Install it: apt-get install chromium (Debian), dnf install chromium (Fedora), "
    "brew install --cask chromium (macOS; Google Chrome will do as well)."
)
# Secrets in the environment are none of a browser's business.
_ENVIRONMENT = re.compile(
    r"PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|XDG_RUNTIME_DIR|FONTCONFIG_\w+|LD_LIBRARY_PATH"
)
_OPTIONS = (
    "--headless",
    "--no-pdf-header-footer",
    "--generate-pdf-document-outline",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-crash-reporter",
    "--no-first-run",
    "--no-default-browser-check",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
_PRODUCER = re.compile(rb"/Producer \(Skia/PDF m(\d+)")
# The first that knows margin boxes, where the page numbers are.
_FIRST_MAJOR = 131
_ROOM = 1 << 20
_DYING_SECONDS = 2.0


def write_pdf(pages: Sequence[Path], target: Path, *, seconds: float = SECONDS) -> None:
    """Print pages of a run into one PDF, in this order: A4, tagged, with outline, page numbers, and the first's title.

    Raises:
        RunError: no Chromium is installed, it fails or does not finish within `seconds`, or the disk takes no file.
    """
    browser = _browser()
    document, title = printable(pages)
    try:
        # Files of processes that were just killed may appear while it is removed.
        with TemporaryDirectory(prefix="tidings-pdf-", ignore_cleanup_errors=True) as name:
            folder = Path(name)
            (folder / "page.html").write_text(document, encoding="utf-8")
            _run(browser, folder, seconds)
            _check(folder, title)
            with placed(target) as draft:
                shutil.copyfile(folder / "page.pdf", draft)
    except OSError as error:
        reason, remedy = remedy_of(error)
        raise RunError(f"The PDF cannot be made: {reason}.", remedy) from error


def _browser() -> str:
    found = next(filter(None, map(shutil.which, (*_NAMES, *_APPS))), None)
    if found is None:
        raise RunError("A PDF is printed by Chromium, which is not installed here.", _INSTALL)
    return found


def _run(browser: str, folder: Path, seconds: float) -> None:
    """Run the browser in a process group of its own, of which nothing is left afterwards."""
    command = [browser, *_OPTIONS, f"--user-data-dir={folder / 'profile'}", f"--print-to-pdf={folder / 'page.pdf'}"]
    if os.geteuid() == 0:
        # Its sandbox refuses to work for root, as in a container.
        command.append("--no-sandbox")
    with (folder / "said.txt").open("wb") as said:
        process = subprocess.Popen(
            [*command, (folder / "page.html").as_uri()],
            cwd=folder,
            env={name: value for name, value in os.environ.items() if _ENVIRONMENT.fullmatch(name)},
            stdin=subprocess.DEVNULL,
            # Not a pipe: a process that it leaves behind would keep that open.
            stdout=subprocess.DEVNULL,
            stderr=said,
            start_new_session=True,
        )
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise RunError(
                f"Chromium did not print the pages within {seconds:g} seconds, and was ended.",
                "Repeat the command when the machine is less busy, or export single sections.",
            ) from error
        finally:
            _end(process)
    if process.returncode:
        how = f"exit code {process.returncode}"
        if process.returncode < 0:
            how = f"ended by {signal.Signals(-process.returncode).name}"
        raise RunError(f"Chromium failed to print the pages: {how}{_said(folder)}.", _remedy(folder))


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group, and wait until it is gone, so that its folder can be removed."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    until = time.monotonic() + _DYING_SECONDS
    with suppress(ProcessLookupError, PermissionError):
        while time.monotonic() < until:
            os.killpg(process.pid, 0)
            time.sleep(0.01)


def _check(folder: Path, title: str) -> None:
    """Look whether the file is a whole PDF of our document: Chromium also prints its own error pages."""
    file = folder / "page.pdf"
    content = file.read_bytes() if file.is_file() else b""
    if not content.startswith(b"%PDF-") or not content.rstrip().endswith(b"%%EOF"):
        raise RunError(f"Chromium printed no whole file{_said(folder)}.", _remedy(folder))
    if not any(form in content for form in _title_forms(title)):
        raise RunError(
            f"Chromium printed something else than the page it was given in {folder.parent}.",
            "A snap or flatpak cannot read that folder: set TMPDIR to a folder of your home, or install another one.",
        )
    major = _PRODUCER.search(content)
    if major is not None and int(major[1]) < _FIRST_MAJOR:
        raise RunError(
            f"Chromium {int(major[1])} cannot print page numbers.", f"Update it: {_FIRST_MAJOR} or later is needed."
        )


def _title_forms(title: str) -> tuple[bytes, bytes]:
    """How the title may be written in the file: as plain text, or as UTF-16 in hexadecimal digits."""
    plain = re.sub(r"([\\()])", r"\\\1", title)
    encoded = title.encode("utf-16-be").hex().upper()
    return f"/Title ({plain})".encode(), f"/Title <FEFF{encoded}>".encode()


def _said(folder: Path) -> str:
    """The last line that it wrote, without its time and place in its source."""
    text = (folder / "said.txt").read_text(encoding="utf-8", errors="replace").strip()
    last = re.sub(r"^\[[^\]]*\]\s*", "", text.splitlines()[-1]) if text else ""
    return f" ({last[:200].rstrip('.')})" if last else ""


def _remedy(folder: Path) -> str:
    if shutil.disk_usage(folder).free < _ROOM:
        return f"The disk of {folder.parent} is full: free some of it, then repeat the command."
    return "Repeat the command; if it fails again, try whether Chromium starts by itself."
