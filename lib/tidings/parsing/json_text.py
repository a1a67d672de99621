"""JSON lines and lists of objects: each object as a text of its own, however deep; a broken one is rejected alone.

The list may be inside of one object, as in API responses: `{"data": [{…}, {…}]}`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from json import JSONDecodeError, JSONDecoder
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from tidings.errors import SourceError
from tidings.parsing.beginning import CHUNK, SAMPLE, Head, Reject
from tidings.parsing.files import File, line_blocks, shown

# The engine's own reader crashes the process somewhere beyond a hundred thousand.
_DEEPEST: Final = 500
_TOO_DEEP: Final = f"the line is nested more than {_DEEPEST} deep"
_LIST: Final = re.compile(r"\s*\[\s*(?:[{\]]|\Z)")
_OBJECT: Final = re.compile(r'(?P<gap>\s*)\{\s*(?P<key>"(?:[^"\\]|\\.)*")')
_NEXT: Final = re.compile(r"\s*(?P<mark>[,\]])?\s*")
_MARKS: Final = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]')
_ELEMENTS: Final = 10_000
# A single object is read into memory in full.
_LONGEST: Final = 1 << 29
_BLANK: Final = re.compile(r"\s*")
_SHOWN: Final = 6
_ONE_EACH: Final = "Each row must be an object of its own: one per line, or all in one list, [{…}, {…}]."


def json_chunks(file: File, encoding: str, rejects: list[Reject], inside: tuple[str, ...] = ()) -> Iterator[pa.Table]:
    """The lines of a JSON lines file, or the elements of a list, as `line`, `_line`; empty lines are skipped.

    `inside`: the place of the list, if it is a member of one object.
    """
    blocks: list[pa.Table] = []
    for first, texts in json_texts(file, encoding, inside):
        block = pa.table({"line": _text(texts, first, rejects), "_line": pa.array(range(first, first + len(texts)))})
        blocks.append(block.filter(pc.not_equal(pc.utf8_trim_whitespace(block["line"]), "")))
        if sum(map(len, blocks)) >= CHUNK:
            yield pa.concat_tables(blocks)
            blocks = []
    if blocks or rejects:
        empty = pa.table({"line": pa.array([], pa.string()), "_line": pa.array([], pa.int64())})
        yield pa.concat_tables([empty, *blocks])


def json_texts(file: File, encoding: str, inside: tuple[str, ...] = ()) -> Iterator[tuple[int, list[str]]]:
    """The texts of a file that are one row each: elements if it is a list of objects or has one `inside`, else lines.

    The number of the first comes with them; bytes that are invalid in the encoding are lone surrogates.
    """
    if inside:
        text = _whole(file, encoding)
        return _elements(iter([text[_lists(text)[inside] :]]), is_inside=True)
    for _, texts in line_blocks(file, encoding):
        if _LIST.match("\n".join(texts[:_DEEPEST])):
            return _elements("\n".join(each) + "\n" for _, each in line_blocks(file, encoding))
        break
    return line_blocks(file, encoding)


def _whole(file: File, encoding: str) -> str:
    """The text of a file.

    Raises:
        SourceError: it is too long for one object.
    """
    pieces: list[str] = []
    length = 0
    for _, texts in line_blocks(file, encoding):
        pieces += texts
        length += sum(map(len, texts))
        if length > _LONGEST:
            raise SourceError(f"{file.name} is one JSON object of more than {_LONGEST >> 20} MB.", _ONE_EACH)
    return "\n".join(pieces)


def _is_one_object(file: File, encoding: str) -> bool:
    """True if the file begins with an object that continues after its first line, or ends with it."""
    lines = (text for _, texts in line_blocks(file, encoding) for text in texts if text.strip())
    first, second = next(lines, ""), next(lines, None)
    if not first.lstrip().startswith("{"):
        return False
    # A broken first line is followed by intact ones.
    return second is None or (_read(first) is None and not isinstance(_read(second), dict))


def _lists(text: str) -> Mapping[tuple[str, ...], int]:
    """The start of each list of objects in the text of one object; nothing is found after a syntax error."""
    found: dict[tuple[str, ...], int] = {}
    begin = _BLANK.match(text)
    decoder = JSONDecoder(parse_int=str, parse_float=str, strict=False)
    with suppress(JSONDecodeError, RecursionError):
        _walk(decoder, text, begin.end() if begin else 0, (), found)
    return found


def _walk(decoder: JSONDecoder, text: str, at: int, outer: tuple[str, ...], found: dict[tuple[str, ...], int]) -> int:
    """Visit the members of the object that begins at a position; returns where it ends."""

    def beyond(place: int) -> int:
        blank = _BLANK.match(text, place)
        return blank.end() if blank else place

    at = beyond(at + 1)
    while text[at : at + 1] == '"':
        name, at = decoder.raw_decode(text, at)
        at = beyond(beyond(at) + 1)
        if text[at : at + 1] == "{":
            at = _walk(decoder, text, at, (*outer, name), found)
        else:
            if text[at : at + 1] == "[" and text[beyond(at + 1) : beyond(at + 1) + 1] == "{":
                found[(*outer, name)] = at
            _, at = decoder.raw_decode(text, at)
        at = beyond(at)
        if text[at : at + 1] == ",":
            at = beyond(at + 1)
    return at + 1


def _inside(file: File, encoding: str, needed: Collection[str]) -> tuple[str, ...]:
    """The place of the list of rows in a file that is one object; empty if its rows are lines, or a list.

    Raises:
        SourceError: there is none, or there are several and the `needed` names do not decide.
    """
    if not _is_one_object(file, encoding):
        return ()
    text = _whole(file, encoding)
    lists = _lists(text)
    value = _read(text)
    is_row = isinstance(value, dict) and "\n" not in text.strip()
    fields = {".".join(path) for path in _flat(value)} if isinstance(value, dict) else set()
    if is_row and (not lists or (needed and fields >= set(needed))):
        return ()
    if len(lists) > 1 and needed:
        lists = {path: at for path, at in lists.items() if _names_at(text, at) >= set(needed)} or lists
    if len(lists) == 1:
        return next(iter(lists))
    if lists:
        named = " and ".join(f"'{'.'.join(path)}'" for path in list(lists)[:_SHOWN])
        place = "".join(f"[{json.dumps(name, ensure_ascii=False)}]" for name in next(iter(lists)))
        raise SourceError(
            f"{file.name} is one JSON object with several lists of objects: {named}.",
            f"Write the one that is meant into a file of its own: jq '.{place}' {file.name}",
        )
    if not isinstance(value, dict):
        return ()
    named = ", ".join(f"'{name}'" for name in list(value)[:_SHOWN]) + (", …" if len(value) > _SHOWN else "")
    has = f"of its members ({named}) none is a list of objects" if value else "it has no members"
    raise SourceError(f"{file.name} is one JSON object, and {has}.", _ONE_EACH)


def _names_at(text: str, at: int) -> set[str]:
    """The fields of the first object of a list."""
    decoder = JSONDecoder(parse_int=str, parse_float=str, strict=False)
    begin = _BLANK.match(text, at + 1)
    try:
        value, _ = decoder.raw_decode(text, begin.end() if begin else at + 1)
    except (JSONDecodeError, RecursionError):
        return set()
    return {".".join(path) for path in _flat(value)}


def _elements(pieces: Iterator[str], *, is_inside: bool = False) -> Iterator[tuple[int, list[str]]]:
    """The elements of a list, numbered from 1; text that is not an element is returned as it is, to be rejected.

    `is_inside`: what follows the list belongs to an object around it.
    """
    # Numbers stay text: those of thousands of digits cannot be converted, and need not be.
    decoder = JSONDecoder(parse_int=str, parse_float=str, strict=False)
    buffer = next(pieces, "")
    begin = re.match(r"\s*\[", buffer)
    at = begin.end() if begin else 0
    again: re.Pattern[str] | None = None
    first, held, is_over = 1, [], False
    while True:
        at += len(buffer[at:]) - len(buffer[at:].lstrip()) if at + 1 >= len(buffer) else 0
        opened = _OBJECT.match(buffer, at)
        if again is None and opened:
            # How the next element is found after a broken one: by the separator, and the beginning of elements.
            gap = re.escape(opened["gap"]) if "\n" in opened["gap"] else "[ \t]*"
            again = re.compile(rf",(?={gap}\{{\s*{re.escape(opened['key'])})")
        end = _end(decoder, buffer, at)
        if end is None:
            found = again.search(buffer, at + 1) if again else None
            more = next(pieces, None) if found is None else None
            if more is not None:
                buffer, at = buffer[at:] + more, 0
                continue
            end = found.start() if found else len(buffer)
            rest = buffer[at:end].rstrip()
            # The list's own end is not part of its broken element.
            text = rest.removesuffix("]") if found is None and rest.endswith("]") else rest
        else:
            text = buffer[at:end].strip()
        if text:
            held.append(text)
        mark = _NEXT.match(buffer, end)
        at = mark.end() if mark else end
        if len(held) >= _ELEMENTS:
            yield first, held
            first, held = first + len(held), []
            buffer, at = buffer[at:], 0
        if mark and mark["mark"] == "]":
            is_over = True
        if at >= len(buffer) or is_over:
            more = next(pieces, None)
            if more is None:
                break
            buffer, at = buffer[at:] + more, 0
    rest = (buffer[at:] + "".join(pieces)).strip()
    if rest and not is_inside:
        held.append(rest)
    if held:
        yield first, held


def _end(decoder: JSONDecoder, buffer: str, at: int) -> int | None:
    """Where the value at a position ends; None if it is broken or incomplete."""
    start = at + len(re.match(r"\s*", buffer[at : at + 1_000])[0])  # type: ignore[index]  # it always matches
    if buffer[start : start + 1] in ("]", ""):
        return start
    try:
        _, end = decoder.raw_decode(buffer, start)
    except (JSONDecodeError, RecursionError):
        return None
    # A value followed by neither a comma nor the list's end is broken, unless it is at the end of the text read so far.
    following = _NEXT.match(buffer, end)
    return end if following and (following["mark"] or following.end() == len(buffer)) else None


def _text(texts: list[str], first: int, rejects: list[Reject]) -> pa.Array:
    """Lines as an Arrow column; damaged ones and those too deep are rejected and null."""
    try:
        column = pc.utf8_rtrim(pa.array(texts, pa.string()), "\r")
    except UnicodeEncodeError:
        whole: list[str | None] = []
        for number, text in enumerate(texts, start=first):
            kept, visible = shown(text.removesuffix("\r"))
            if kept is None:
                rejects.append((number, "the line is not utf-8", visible))
            whole.append(kept)
        column = pa.array(whole, pa.string())
    opened = pc.add(pc.count_substring(column, "["), pc.count_substring(column, "{"))
    deep = [at for at in pc.indices_nonzero(pc.greater(opened, _DEEPEST)).to_pylist() if _depth(texts[at]) > _DEEPEST]
    for at in deep:
        rejects.append((first + at, _TOO_DEEP, texts[at][:10_000]))
    if deep:
        column = pc.if_else(pc.is_in(pa.array(range(len(texts))), pa.array(deep)), pa.scalar(None, pa.string()), column)
    return column


def _depth(text: str) -> int:
    deepest = depth = 0
    for mark in _MARKS.finditer(text):
        depth += (mark[0] in "[{") - (mark[0] in "]}")
        deepest = max(deepest, depth)
    return deepest


def json_head(file: File, encoding: str, needed: Collection[str]) -> Head:
    """The fields of the first objects; fields come and go, so as many are read as needed to see all `needed` names.

    Raises:
        SourceError: there is no object in it.
    """
    first: list[dict[tuple[str, ...], Any]] = []
    paths: dict[str, tuple[str, ...]] = {}
    number = 0
    inside = _inside(file, encoding, needed)
    for _, texts in json_texts(file, encoding, inside):
        for text in texts:
            number += 1
            value = _read(text) if text else None
            if isinstance(value, dict):
                flat = _flat(value)
                for path in flat:
                    paths.setdefault(".".join(path), path)
                first += [flat] if len(first) < SAMPLE else []
            if number > SAMPLE and first and paths.keys() >= set(needed):
                break
        else:
            continue
        break
    if not first:
        raise SourceError(
            f"{file.name} is not JSON lines.", "Each line must be one object: {…}; a list of objects is read, too."
        )
    sample = tuple(tuple(_shown(row.get(path)) for path in paths.values()) for row in first)
    return Head(tuple(paths), ("VARCHAR",) * len(paths), sample, paths=tuple(paths.values()), inside=inside)


def _read(text: str) -> Any:
    """A parsed line; None if it is not JSON, or too deep."""
    if text.count("[") + text.count("{") > _DEEPEST and _depth(text) > _DEEPEST:
        return None
    try:
        return json.loads(text, parse_int=str, parse_float=str)
    except (ValueError, RecursionError):
        return None


def _flat(value: dict[str, Any], outer: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """The members of an object and of the objects in it, by their place."""
    flat: dict[tuple[str, ...], Any] = {}
    for name, member in value.items():
        flat[(*outer, name)] = member
        if isinstance(member, dict):
            flat |= _flat(member, (*outer, name))
    return flat


def _shown(value: Any) -> str | None:
    return value if isinstance(value, str) or value is None else json.dumps(value)
