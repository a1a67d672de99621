"""The Vega runtime: one script that draws every chart of a page, made offline and kept."""

from __future__ import annotations

import os
from importlib.metadata import version
from pathlib import Path


def vega_runtime(folder: Path) -> str:
    """Vega, Vega-Lite and Vega-Embed as one script for the page, 0.9 MB; kept in `folder`, as making it takes 1 s."""
    file = folder / f"vega-{version('vl-convert-python')}.js"
    if not file.is_file():
        # Imported here because it takes 80 MB, and only the first run needs it.
        import vl_convert

        folder.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f"{file.name}.{os.getpid()}")
        # "</" inside a string would end the script element of the page.
        bundle = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub forgets that it needs none
        beside.write_text(bundle.replace("</script", "<\\/script"), encoding="utf-8")
        beside.replace(file)
    return file.read_text(encoding="utf-8")
