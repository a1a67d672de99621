"""An analyst's own charts and frames as a cell's last line, shown in our style with data and alt text."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from tidings.display import formats, theme
from tidings.display.figure import NARROW, SCHEMA, WIDE, Figure, note, pictures, plain_spec
from tidings.display.fragments import NOWHERE, Table, frame
from tidings.display.tables import MOST_SHOWN, text_table
from tidings.enrich.characters import plain as plain_text
from tidings.errors import TidingsError, UsageError
from tidings.language import say, say_as
from tidings.metrics.result import Field, Provenance

# A picture of more rows is unreadable and slow in a browser.
_LARGEST_PICTURE = 4_000_000
_LONGEST_CELL = 500
_PARTS = ("layer", "concat", "hconcat", "vconcat")
# What makes a page load something or leads out of it. `usermeta` may hand options to what draws the chart.
_LOADING = ("url", "href")


def enable() -> None:
    """In a notebook, show bare charts and frames as `figure` does; anywhere else nothing happens."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    formatter = getattr(shell, "display_formatter", None)
    if formatter is None:
        return
    # Imported here because it takes a second, and only notebooks need it.
    import altair as alt

    theme.enable()
    for kind in (alt.TopLevelMixin, pa.Table, pa.RecordBatch, ir.Table, ir.Column):
        formatter.mimebundle_formatter.for_type(kind, _bundle)
    # By name, so that pandas need not be there; it moved its classes with version 3.
    for module in ("pandas", "pandas.core.frame", "pandas.core.series"):
        for name in ("DataFrame", "Series"):
            formatter.mimebundle_formatter.for_type_by_name(module, name, _bundle)


def figure(thing: Any) -> Figure:
    """An Altair chart, or a pandas, Ibis or Arrow table, as it is on a page.

    Raises:
        UsageError: the chart would load something, cannot be drawn, or is too large.
    """
    return (
        _chart(thing) if hasattr(thing, "to_dict") and hasattr(thing, "to_json") and _is_chart(thing) else _frame(thing)
    )


def _bundle(thing: Any) -> dict[str, Any]:
    try:
        shown = figure(thing)
    except TidingsError as error:
        shown = note(plain_text(str(error)))
    except Exception as error:  # noqa: BLE001 - IPython would print the traceback and show the object as text
        shown = note(plain_text(f"This could not be shown: {type(error).__name__}: {error}"))
    return shown._repr_mimebundle_()


def _is_chart(thing: Any) -> bool:
    altair = sys.modules.get("altair")
    return altair is not None and isinstance(thing, altair.TopLevelMixin)


def _chart(drawn: Any) -> Figure:
    spec = _spec(drawn)
    _refuse_loading(spec)
    heading, subtitle = _heading(spec.pop("title", None))
    held = list(_data(spec))
    carried = sum(map(len, held))
    first = held[0] if held else []
    caption = str(spec.get("description") or "") or _alt(spec, heading, first, carried)
    table = _table(first[:MOST_SHOWN]) if first else None
    # The colours of the page are CSS variables; the author's own settings override them.
    chosen = theme.difference(spec.pop("config", {}), theme.config(theme.LIGHT))
    try:
        box = pictures(caption, *_sized({**spec, "config": chosen}))
    except ValueError as error:
        raise UsageError(
            f"The chart cannot be drawn: {error}", "Correct the specification: Vega-Lite gives no more detail."
        ) from error
    if len(box) > _LARGEST_PICTURE:
        raise UsageError(
            f"The chart has {formats.plural(carried, 'row')} and draws too many marks.",
            "Aggregate or filter before drawing, say with mean(), count() or bins.",
        )
    notes = []
    if left := len(first) - MOST_SHOWN if len(first) > MOST_SHOWN else 0:
        notes.append(say("{rows} of the data not shown in the table.", rows=formats.plural(left, "more row")))
    if _is_interactive(spec):
        notes.append(
            say("Its selections and controls work where Altair draws it, say by chart.save('chart.html'), not here.")
        )
    if len(held) > 1:
        further = formats.plural(len(held) - 1, "further table")
        notes.append(say("{tables} of data behind it not shown.", tables=further))
    title = {"text": heading, "subtitle": subtitle} if heading or subtitle else None
    config = theme.merged(theme.config(theme.LIGHT), chosen)
    whole = {**spec, **({"title": title} if title else {}), "config": config}
    return Figure(
        kind="chart",
        html=frame("chart", heading, subtitle, box, notes, table),
        text=f"{heading}\n{caption}".strip(),
        title=heading,
        subtitle=subtitle,
        alt=caption,
        table=table,
        spec=whole,
    )


def _sized(spec: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    """The pictures for a desktop and for a phone; a chart whose width the author chose, or of many parts, has one."""
    if "width" in spec or not ("mark" in spec or "layer" in spec):
        return spec, None
    fit = {"autosize": {"type": "fit-x", "contains": "padding"}}
    return {**spec, **fit, "width": WIDE}, {**spec, **fit, "width": NARROW}


def _is_interactive(part: Any) -> bool:
    """Whether a chart has parameters that a reader could change."""
    if isinstance(part, Mapping):
        held = part.get("params") or ()
        return any("select" in param or "bind" in param for param in held) or any(
            _is_interactive(part.get(name)) for name in (*_PARTS, "spec")
        )
    return isinstance(part, list) and any(map(_is_interactive, part))


def _spec(drawn: Any) -> dict[str, Any]:
    import altair as alt

    own = _prepared(drawn.copy(deep=True))
    # The author's transformer may write files beside the notebook, which a page cannot load.
    with alt.data_transformers.enable("default", max_rows=None), alt.theme.enable("none"):
        try:
            spec = own.to_dict()
        except Exception as error:
            raise UsageError(f"The chart cannot be drawn: {error}", "Correct the specification.") from error
    spec.pop("usermeta", None)
    made: dict[str, Any] = plain_spec(_json({**spec, "$schema": SCHEMA}))
    return made


def _prepared(chart: Any) -> Any:
    """The chart, and all within it, with data whose types Altair reads rightly."""
    for name in _PARTS:
        for part in getattr(chart, name, None) or () if name in getattr(chart, "_kwds", {}) else ():
            _prepared(part)
    held = getattr(chart, "_kwds", {})
    if hasattr(held.get("spec"), "_kwds"):
        _prepared(held["spec"])
    if "data" in held:
        chart.data = _readable(held["data"])
    return chart


def _readable(data: Any) -> Any:
    """Decimals as numbers, and times as wall clock of their own zone, since a browser would use its own."""
    if isinstance(data, ir.Table):
        data = data.to_pyarrow()
    if isinstance(data, pa.Table):
        for at, field in enumerate(data.schema):
            column = data.column(at)
            if pa.types.is_decimal(field.type):
                data = data.set_column(at, field.name, column.cast(pa.float64()))
            elif pa.types.is_timestamp(field.type) and field.type.tz:
                data = data.set_column(at, field.name, pc.local_timestamp(column))
        return data
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(data, pandas.DataFrame):
        return data
    data = data.copy(deep=False)
    if data.columns.nlevels > 1:
        data.columns = [_name(name) for name in data.columns]
    for name in data.columns[~data.columns.duplicated()]:
        column = data[name]
        if getattr(column, "dtype", None) is None:
            continue
        if isinstance(column.dtype, pandas.DatetimeTZDtype):
            data[name] = column.dt.tz_localize(None)
        elif pandas.api.types.infer_dtype(column, skipna=True) == "decimal":
            data[name] = column.map(float, na_action="ignore").astype(float)
    return data


def _json(part: Any) -> Any:
    if isinstance(part, Mapping):
        return {str(key): _json(value) for key, value in part.items()}
    if isinstance(part, list | tuple):
        return [_json(value) for value in part]
    if isinstance(part, Decimal | float):
        return float(part) if formats.is_number(part) else None
    if isinstance(part, datetime):
        return part.replace(tzinfo=None).isoformat()
    # A bare day would be midnight in UTC, which is the day before in America.
    return f"{part.isoformat()}T00:00:00" if isinstance(part, date) else part


def _refuse_loading(part: Any) -> None:
    if isinstance(part, Mapping):
        for name in _LOADING:
            if name in part:
                raise UsageError(
                    f"The chart has '{name}' ({str(part[name])[:80]}), and a page of a report loads nothing.",
                    "Read the data into a frame first; draw no links and no images.",
                )
        mark = part.get("mark")
        if mark == "image" or (isinstance(mark, Mapping) and mark.get("type") == "image"):
            raise UsageError("The chart draws images, and a page of a report loads nothing.", "Draw points or text.")
        for key, value in part.items():
            # Rows may have a column of any name.
            if key not in ("datasets", "values"):
                _refuse_loading(value)
    elif isinstance(part, list):
        for value in part:
            _refuse_loading(value)


def _heading(title: Any) -> tuple[str, str]:
    held = title if isinstance(title, Mapping) else {"text": title}
    return _line(held.get("text")), _line(held.get("subtitle"))


def _line(text: Any) -> str:
    return " ".join(map(str, text)) if isinstance(text, list) else text if isinstance(text, str) else ""


def _data(part: Any) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Every table of rows in a spec."""
    if isinstance(part, Mapping):
        yield from (rows for rows in part.get("datasets", {}).values() if isinstance(rows, list))
        inline = part.get("data")
        if isinstance(inline, Mapping) and isinstance(inline.get("values"), list):
            yield [row if isinstance(row, Mapping) else {"data": row} for row in inline["values"]]
        for key, value in part.items():
            if key not in ("datasets", "data"):
                yield from _data(value)
    elif isinstance(part, list):
        for value in part:
            yield from _data(value)


def _alt(spec: Mapping[str, Any], heading: str, rows: Sequence[Mapping[str, Any]], carried: int) -> str:
    """The alt text of a chart: its marks, its fields with their ranges, its rows."""
    marks, channels = list(dict.fromkeys(_marks(spec))), dict(_channels(spec))
    what = say("Chart of {marks}", marks=say(" and ").join(marks) or say("several parts"))
    shown = ", ".join(f"{channel}: {name}" for channel, (name, _) in channels.items())
    caption = [f"{heading.rstrip('.')}." if heading else "", f"{what}; {shown}." if shown else f"{what}."]
    fields = dict.fromkeys(field for _, field in channels.values() if field)
    caption += [span for span in (_span(field, rows) for field in fields) if span]
    return " ".join(filter(None, [*caption, say("{rows} of data.", rows=formats.plural(carried, "row"))]))


def _marks(part: Any) -> Iterator[str]:
    if isinstance(part, Mapping):
        mark = part.get("mark")
        if mark:
            yield say_as("marks", f"{mark['type'] if isinstance(mark, Mapping) else mark}s")
        for name in (*_PARTS, "spec"):
            yield from _marks(part.get(name))
    elif isinstance(part, list):
        for value in part:
            yield from _marks(value)


def _channels(part: Any) -> Iterator[tuple[str, tuple[str, str]]]:
    """Each channel with its content in words, and the field behind it, if any."""
    if isinstance(part, Mapping):
        for channel, held in (part.get("encoding") or {}).items():
            if not isinstance(held, Mapping) or not (held.get("field") or held.get("aggregate")):
                continue
            field = held.get("field") if isinstance(held.get("field"), str) else ""
            aggregate = held.get("aggregate") if isinstance(held.get("aggregate"), str) else ""
            yield channel, (_aggregated(aggregate, field or "") if aggregate else field or "", field or "")
        for name in (*_PARTS, "spec"):
            yield from _channels(part.get(name))
    elif isinstance(part, list):
        for value in part:
            yield from _channels(value)


def _aggregated(aggregate: str, field: str) -> str:
    return say("{aggregate} of {field}", aggregate=aggregate, field=field or say("rows"))


def _span(field: str, rows: Sequence[Mapping[str, Any]]) -> str:
    known = [row[field] for row in rows if row.get(field) is not None]
    if not known:
        return ""
    if all(map(formats.is_number, known)):
        return say("{field} from {low} to {high}.", field=field, low=_number(min(known)), high=_number(max(known)))
    texts = sorted({str(value) for value in known})
    if all(text[:4].isdigit() and text[4:5] == "-" and "T" in text for text in texts):
        low, high = (text.removesuffix("T00:00:00") for text in (texts[0], texts[-1]))
        return say("{field} from {low} to {high}.", field=field, low=low, high=high)
    return f"{field}: {formats.plural(len(texts), 'different value')}."


def _number(value: Any) -> str:
    return formats.full(_cell(value), "count")


def _frame(given: Any) -> Figure:
    """The first rows of a frame; an Ibis table is not read beyond them."""
    sql: tuple[str, ...] = ()
    if isinstance(given, ir.Column):
        given = given.as_table()
    if isinstance(given, ir.Table):
        asked = given.limit(MOST_SHOWN + 1)
        sql = (str(ibis.to_sql(given)),)
        read = asked.to_pyarrow()
        table = _of_arrow(read)
        is_cut = len(read) > MOST_SHOWN
        left = say("Only the first {n} rows are shown; there are more.", n=MOST_SHOWN) if is_cut else ""
        size = say("more than {n} rows", n=MOST_SHOWN) if is_cut else formats.plural(len(read), "row")
    else:
        if isinstance(given, pa.RecordBatch):
            given = pa.Table.from_batches([given])
        table = _of_arrow(given) if isinstance(given, pa.Table) else _of_pandas(given)
        more = len(given) - MOST_SHOWN
        left = say("{rows} not shown.", rows=formats.plural(more, "more row")) if more > 0 else ""
        size = formats.plural(len(given), "row")
    named = ", ".join(field.title for field in table.fields[:12]) + (" …" if len(table.fields) > 12 else "")
    caption = say("Table of {size}: {columns}.", size=size, columns=named)
    body = table.html(caption) if table.rows else Markup('<p class="td-muted">{}</p>').format(say("No rows."))
    origin = Provenance(sql, {}, "") if sql else NOWHERE
    return Figure(
        kind="table",
        html=frame("table", "", "", body, [left] if left else [], None, origin),
        text=text_table(table),
        alt=caption,
        table=table,
        provenance=origin,
    )


def _of_arrow(table: pa.Table) -> Table:
    shown = table.slice(0, MOST_SHOWN)
    columns = [(name, shown.column(at).to_pylist()) for at, name in enumerate(table.column_names)]
    return _columns(columns)


def _of_pandas(frame_given: Any) -> Table:
    shown = frame_given.head(MOST_SHOWN)
    if not hasattr(shown, "columns"):
        shown = shown.to_frame()
    index = []
    if type(shown.index).__name__ != "RangeIndex":
        # By position: an index may have the name of a column.
        levels = range(shown.index.nlevels)
        index = [(_name(shown.index.names[n] or ""), list(shown.index.get_level_values(n))) for n in levels]
    return _columns([*index, *((_name(name), list(shown.iloc[:, at])) for at, name in enumerate(shown.columns))])


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    names = dict.fromkeys(name for row in rows for name in row)
    return _columns([(name, [row.get(name) for row in rows]) for name in names])


def _columns(columns: Sequence[tuple[str, Sequence[Any]]]) -> Table:
    fields, held = [], []
    for name, values in columns:
        cells = [_cell(value) for value in values]
        known = [value for value, cell in zip(values, cells, strict=True) if cell is not None]
        numbers = bool(known) and not any(isinstance(value, str | bool | date) for value in known)
        unit = "count" if numbers and all(formats.is_number(_scalar(value)) for value in known) else "text"
        title = plain_text(str(name))
        fields.append(Field(title, title, unit))
        held.append(cells)
    return Table(tuple(fields), tuple(zip(*held, strict=True)))


def _name(name: Any) -> str:
    return " · ".join(str(part) for part in name if str(part)) if isinstance(name, tuple) else str(name)


def _scalar(value: Any) -> Any:
    return value.item() if type(value).__module__ == "numpy" and getattr(value, "shape", None) == () else value


def _cell(value: Any) -> Any:
    """A value for a table: None for NaN and NaT, text for numbers that rounding would falsify."""
    value = _scalar(value)
    if value is None or type(value).__name__ in ("NaTType", "NAType"):
        return None
    if isinstance(value, bool):
        return value
    if isinstance(value, float | Decimal):
        if not formats.is_number(value):
            return None
        exact = Decimal(str(value))
        is_plain = abs(exact) < 10**15 and (exact == 0 or abs(exact) >= Decimal("0.01"))
        return value if is_plain else f"{value:.6g}"
    if isinstance(value, int):
        return value if abs(value) < 10**15 else str(value)
    if isinstance(value, date):
        # The base class, since JSON does not know the subclass of pandas.
        return value.to_pydatetime(warn=False) if hasattr(value, "to_pydatetime") else value
    text = plain_text(value if isinstance(value, str) else str(value))
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]}…"
