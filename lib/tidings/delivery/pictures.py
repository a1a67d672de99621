"""Charts of the record as pictures: what the page draws as SVG, as PNG at twice the size on opaque ground."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

import vl_convert

from tidings.display import theme
from tidings.display.fragments import split_behind
from tidings.reporting.record import Item

_SVG = re.compile(r'<svg [^>]*class="marks td-(wide|narrow|only)"[^>]*>.*?</svg>', re.DOTALL)
_BOX = re.compile(r'\bwidth="([\d.]+)" height="([\d.]+)" viewBox="0 0 [\d. ]+"')
_VARIABLE = re.compile(r"var\(--td-([a-z0-9-]+)\)")
_TITLE = re.compile(r"<title>.*?</title>", re.DOTALL)
_SHARPNESS = 2
# Clients with a dark ground show the picture as a light card, which needs an edge.
_MARGIN = 12
_IHDR = struct.Struct(">IIBBBBB")
_RGB, _RGBA = 2, 6


@dataclass(frozen=True)
class Picture:
    """A picture as PNG, twice as many pixels as `width` and `height` say."""

    png: bytes
    width: int
    height: int


def pictures_of(item: Item, widths: dict[str, int]) -> dict[str, Picture]:
    """The pictures of a chart by their role (`wide`, `narrow`), each drawn at the width in px that `widths` says.

    A chart of an analyst's own has one, which is taken for both. Empty where the item has none.
    """
    drawn = {found[1]: found[0] for found in _SVG.finditer(split_behind(item.html).figure)}
    if "only" in drawn:
        drawn = dict.fromkeys(widths, drawn["only"])
    return {role: _picture(drawn[role], width) for role, width in widths.items() if role in drawn}


# A run is mailed to hundreds of recipients, whose charts are the same.
@lru_cache(maxsize=64)
def _picture(svg: str, width: int) -> Picture:
    box = _BOX.search(svg)
    if box is None:
        raise ValueError("a drawing without a size")
    full = float(box[1]) + 2 * _MARGIN, float(box[2]) + 2 * _MARGIN
    place = f'width="{full[0]}" height="{full[1]}" viewBox="-{_MARGIN} -{_MARGIN} {full[0]} {full[1]}"'
    ground = f'<rect x="-{_MARGIN}" y="-{_MARGIN}" width="100%" height="100%" fill="{theme.LIGHT["ground"]}"/>'
    head, _, rest = svg.replace(box[0], place, 1).partition(">")
    # The page takes the type from its stylesheet; tooltips are of no use in a picture.
    seen = f'{head} font-family="{theme.FONT}">{ground}{_TITLE.sub("", rest)}'
    seen = _VARIABLE.sub(lambda name: theme.LIGHT[name[1]], seen)
    png = _opaque(vl_convert.svg_to_png(seen, scale=_SHARPNESS * width / full[0]))
    across, down = _IHDR.unpack_from(png, 16)[:2]
    return Picture(png, round(across / _SHARPNESS), round(down / _SHARPNESS))


def _opaque(png: bytes) -> bytes:
    """The same picture without its channel of opacity, and packed as well as can be: a quarter of the bytes.

    Each channel of a PNG is filtered on its own, so that one can be taken out of the filtered lines.
    """
    chunks, at = [], 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        chunks.append((png[at + 4 : at + 8], png[at + 8 : at + 8 + length]))
        at += 12 + length
    width, height, depth, colours, *others = _IHDR.unpack(chunks[0][1])
    if colours != _RGBA or depth != 8:
        return png
    filtered = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    lines, step = bytearray(), 4 * width + 1
    for start in range(0, height * step, step):
        line = bytearray(3 * width)
        for channel in range(3):
            line[channel::3] = filtered[start + 1 + channel : start + step : 4]
        lines += filtered[start : start + 1] + line
    head = _IHDR.pack(width, height, depth, _RGB, *others)
    kept = [(b"IHDR", head), (b"IDAT", zlib.compress(bytes(lines), 9)), (b"IEND", b"")]
    packed = (
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in kept
    )
    return png[:8] + b"".join(packed)
