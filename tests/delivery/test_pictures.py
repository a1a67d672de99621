"""Charts as pictures: what the page draws, opaque, at twice the size, and small."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace

from mail_samples import chart, section

from tidings.delivery.pictures import Picture, pictures_of
from tidings.display import theme

WIDTHS = {"wide": 552, "narrow": 328}
CHART = section("commerce", chart()).items[0]


def chunks(png: bytes) -> dict[bytes, bytes]:
    found, at = {}, 8
    while at < len(png):
        (length,) = struct.unpack_from(">I", png, at)
        kind, content = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", png, at + 8 + length)[0] == zlib.crc32(kind + content)
        found[kind] = content
        at += 12 + length
    return found


def pixels(picture: Picture) -> list[list[tuple[int, int, int]]]:
    """The picture, read by the rules of PNG alone."""
    found = chunks(picture.png)
    width, height = struct.unpack_from(">II", found[b"IHDR"])
    lines = zlib.decompress(found[b"IDAT"])
    step, before, rows = 3 * width + 1, bytes(3 * width), []
    for start in range(0, height * step, step):
        kind, line = lines[start], bytearray(lines[start + 1 : start + step])
        for at in range(3 * width):
            left, up = (line[at - 3], before[at]) if at >= 3 else (0, before[at])
            corner = before[at - 3] if at >= 3 else 0
            guess = left + up - corner
            nearest = min((left, up, corner), key=lambda one: abs(guess - one))
            line[at] = (line[at] + (0, left, up, (left + up) // 2, nearest)[kind]) % 256
        rows.append([tuple(line[at : at + 3]) for at in range(0, 3 * width, 3)])
        before = bytes(line)
    return rows


def test_a_picture_is_opaque_and_has_twice_the_pixels() -> None:
    drawn = pictures_of(CHART, WIDTHS)
    for role, width in WIDTHS.items():
        size = struct.unpack(">IIBBBBB", chunks(drawn[role].png)[b"IHDR"])
        assert size[0] == 2 * width
        assert abs(size[1] - 2 * drawn[role].height) <= 1
        assert size[2:4] == (8, 2), "eight bits for each of red, green, blue, and none for opacity"


def test_a_picture_has_the_colours_of_the_page_on_white() -> None:
    rows = pixels(pictures_of(CHART, WIDTHS)["narrow"])
    seen = {colour for row in rows for colour in row}
    assert rows[0][0] == rows[-1][-1] == (255, 255, 255)
    assert bytes.fromhex(theme.LIGHT["accent"][1:]) in {bytes(colour) for colour in seen}
    # All but a little is ground: an error of a filter would smear over the lines.
    ground = sum(colour == (255, 255, 255) for row in rows for colour in row)
    assert 0.8 < ground / sum(map(len, rows)) < 0.999


def test_the_same_chart_is_the_same_picture() -> None:
    assert pictures_of(CHART, WIDTHS) == pictures_of(replace(CHART), WIDTHS)


def test_a_chart_of_an_analyst_has_one_picture_for_both_widths() -> None:
    one = replace(CHART, html=CHART.html.replace('class="marks td-wide"', 'class="marks td-only"'))
    drawn = pictures_of(one, WIDTHS)
    assert (drawn["wide"].width, drawn["narrow"].width) == (552, 328)
    assert pictures_of(replace(CHART, html="<p>text</p>"), WIDTHS) == {}
