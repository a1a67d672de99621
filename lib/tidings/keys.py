"""Keys of rows made of several values: no value can be written so that two different rows have one key."""

from __future__ import annotations

from typing import cast

import ibis
import ibis.expr.types as ir


def joined(source: ir.StringValue, *parts: ir.Value) -> ir.StringValue:
    """A source and values as one text: `shop:4711:charge`. Null if one of them is.

    A source's name holds no colon (settings allow none), and what stands last needs no end: only the texts between
    them are escaped, which costs next to nothing where there is nothing to escape.
    """
    between = [_escaped(part) for part in parts[:-1]]
    return ibis.literal(":").join([source, *between, _text(parts[-1])])


def _escaped(part: ir.Value) -> ir.StringValue:
    if not part.type().is_string():
        return _text(part)
    text = cast(ir.StringValue, part)
    escaped = text.replace("%", "%25").replace(":", "%3A")
    return cast(ir.StringValue, ibis.ifelse(text.contains(":") | text.contains("%"), escaped, text))


def _text(part: ir.Value) -> ir.StringValue:
    return cast(ir.StringValue, part if part.type().is_string() else part.cast("string"))
