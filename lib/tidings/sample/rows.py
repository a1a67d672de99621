"""Arrays of numbers as Arrow columns, and raw records: vectorised, so that a million rows take seconds."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tidings.sample.company import Bools, Ints

_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), dtype="S2")


def pick(pool: Sequence[str | None], index: npt.NDArray[np.integer]) -> pa.DictionaryArray:
    """Texts of a pool by index; a negative one is null."""
    positions = pa.array(index.astype(np.int32), mask=index < 0)
    return pa.DictionaryArray.from_arrays(positions, pa.array(pool, pa.string()))


def timestamps(instants: Ints) -> pa.Array:
    """UTC microseconds as naive timestamps."""
    return pa.array(instants, pa.int64()).view(pa.timestamp("us"))


def decimals(unscaled: Ints, scale: int, null: Bools | None = None) -> pa.Array:
    """Integers of 10^-scale as decimals of 18 digits; null where the mask says so."""
    words = np.empty((len(unscaled), 2), dtype=np.int64)
    words[:, 0], words[:, 1] = unscaled, unscaled >> 63
    found = pa.Array.from_buffers(pa.decimal128(18, scale), len(unscaled), [None, pa.py_buffer(words)])
    return found if null is None else pc.if_else(pa.array(null), None, found)


def money(cents: Ints, null: Bools | None = None) -> pa.Array:
    """Cents as money in major units."""
    return decimals(cents * 100, 4, null)


def whole(numbers: Ints, null: Bools | None = None) -> pa.Array:
    """Integers; null where the mask says so."""
    return pa.array(numbers, pa.int64(), mask=null)


def numbered(prefix: str, numbers: Ints, width: int, null: Bools | None = None) -> pa.Array:
    """Ids such as `u000042`."""
    digits = pc.utf8_lpad(pa.array(numbers, pa.int64()).cast(pa.string()), width, "0")
    found = pc.binary_join_element_wise(prefix, digits, "")
    return found if null is None else pc.if_else(pa.array(null), None, found)


def pseudonyms(seed: int, numbers: Ints) -> pa.Array:
    """A pseudonym of 16 hexadecimal digits for each number; different numbers have different ones (splitmix64)."""
    with np.errstate(over="ignore"):
        mixed = numbers.astype(np.uint64) + np.uint64(seed % 2**32) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed ^= mixed >> np.uint64(31)
    digits = np.ascontiguousarray(_HEX[mixed.astype(">u8").view(np.uint8)])
    offsets = np.arange(0, 16 * (len(numbers) + 1), 16, dtype=np.int32)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(digits))


class Properties:
    """Builds the properties of rows: per name one text of a pool, or none, in each row."""

    def __init__(self, rows: int) -> None:
        self._rows = rows
        self._columns: dict[str, npt.NDArray[np.int32]] = {}
        self._pool: list[str] = []

    def put(self, name: str, where: Ints, pool: Sequence[str], index: Ints) -> None:
        """In the rows `where`, set a property to the texts of a pool at `index`; a negative index sets none."""
        column = self._columns.setdefault(name, np.full(self._rows, -1, np.int32))
        column[where] = np.where(index < 0, -1, index + len(self._pool))
        self._pool.extend(pool)

    def columns(self) -> tuple[pa.Array, pa.Array]:
        """The rows as map, null if a row has none, and as JSON object."""
        names, columns = list(self._columns), list(self._columns.values())
        codes = np.stack(columns, axis=1) if columns else np.empty((self._rows, 0), np.int32)
        there = codes >= 0
        counts = there.sum(axis=1)
        offsets = pa.array(np.concatenate([[0], np.cumsum(counts)]), pa.int32())
        which = np.broadcast_to(np.arange(len(names)), codes.shape)[there]
        keys, items = (pick(*each).cast(pa.string()) for each in ((names, which), (self._pool, codes[there])))
        maps = pa.MapArray.from_arrays(offsets, keys, items, mask=pa.array(counts == 0))
        some = np.flatnonzero(counts)
        objects = records({name: pick(self._pool, column[some]) for name, column in self._columns.items()})
        at = np.full(self._rows, -1, np.int64)
        at[some] = np.arange(len(some))
        return maps, objects.take(pa.array(at, mask=at < 0))


def records(columns: Mapping[str, pa.Array], raw: Mapping[str, pa.Array] | None = None) -> pa.Array:
    """Rows as JSON objects without their nulls; the columns `raw` contain JSON already.

    Plain text columns are ids made here, which need no escaping; all other text is dictionary-encoded.
    """
    if not columns:
        return pa.array([], pa.string())
    parts = [_members(name, column) for name, column in columns.items()]
    parts += [pc.binary_join_element_wise(_key(name), column, "") for name, column in (raw or {}).items()]
    inner = pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement="")
    return pc.binary_join_element_wise("{", pc.utf8_slice_codeunits(inner, 1), "}", "")


def _members(name: str, column: pa.Array) -> pa.Array:
    if isinstance(column, pa.DictionaryArray):
        texts = column.dictionary.to_pylist()
        members = [None if text is None else _key(name) + json.dumps(text, ensure_ascii=False) for text in texts]
        return pa.array(members, pa.string()).take(column.indices)
    if pa.types.is_string(column.type) or pa.types.is_timestamp(column.type):
        return pc.binary_join_element_wise(_key(name) + '"', column.cast(pa.string()), '"', "")
    return pc.binary_join_element_wise(_key(name), column.cast(pa.string()), "")


def _key(name: str) -> str:
    return f",{json.dumps(name)}:"
