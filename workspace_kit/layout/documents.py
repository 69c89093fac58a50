"""Documents of a workspace as rows of the tables: what each JSON or CSV file says, and what it cannot say.

Whatever the file formats of another program's workspace lack is null; what cannot be meant is a fault, and
concerns that file alone.
"""

import csv
import datetime as dt
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import msgspec
import polars as pl

from workspace_kit import clock
from workspace_kit.errors import SchemaMismatch, UsageError
from workspace_kit.layout import names
from workspace_kit.layout.fields import Document
from workspace_kit.layout.lines import BYTE_ORDER_MARK, MARK_SKIPPED, excerpt, parse_json
from workspace_kit.layout.zones import UTC, Zone, declared_zone
from workspace_kit.plain_yaml import load_yaml
from workspace_kit.schema import FORMAT_VERSION, METRIC_NAMES, TABLES, TIME, WINNER_FACTS, Table

ALL = "all"
Row = dict[str, object]
Rows = Iterator[tuple[str, Row]]


def encode_document(content: Mapping[str, object], *, written_at: dt.datetime) -> bytes:
    """Write a document as indented JSON, its keys in the order given, behind its version and time."""
    head = {"schema_version": FORMAT_VERSION, "written_at": clock.text(written_at)}
    return encode_json({**head, **content})


def encode_json(content: object) -> bytes:
    """Write JSON for people: indented, text as it is, a newline at the end.

    Dates become text and NumPy's scalars plain numbers.

    Raises
    ------
    SchemaMismatch
        A value that JSON has not: NaN, infinity, or an object of another kind.
    """
    try:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
        return f"{text}\n".encode()
    except (TypeError, ValueError) as error:
        raise SchemaMismatch(
            ".".join(["document", *_path_to_nonsense(content)]),
            found=str(error),
            expected="finite numbers, texts, dates, nulls, lists and mappings",
            remedy="convert the value; None stands for a number that does not exist",
        ) from error


def _path_to_nonsense(content: object) -> list[str]:
    """Keys down to the first number that is not finite; empty where there is none."""
    parts = content.items() if isinstance(content, Mapping) else ()
    for key, value in parts:
        below = _path_to_nonsense(value)
        if below or (isinstance(value, float) and not math.isfinite(value)):
            return [str(key), *below]
    return []


def _plain(value: object) -> object:
    if isinstance(value, dt.datetime):
        return clock.text(value)
    if isinstance(value, dt.date):
        return value.isoformat()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{ascii(value)[:40]} of type {type(value).__name__}")


def json_text(value: object) -> str:
    """Write a value that was read from JSON in one line, without spaces: the content of a JSON column."""
    return msgspec.json.encode(value).decode()


def encode_table(frame: pl.DataFrame) -> bytes:
    """Write a frame as CSV, instants as RFC 3339; a null is an empty field."""
    times = [name for name, type_ in frame.schema.items() if type_ == pl.Datetime]
    return frame.with_columns(clock.texts(name).alias(name) for name in times).write_csv().encode()


def decode_table(data: bytes, table: Table) -> pl.DataFrame:
    """Read what `encode_table` wrote: the table's columns, each value of its type or null.

    Raises
    ------
    ValueError, PolarsError
        A column is missing, or a value is not of its type.
    """
    if not data.strip():
        raise ValueError("an empty file")
    texts = pl.read_csv(io.BytesIO(data), infer_schema=False)
    return texts.select(
        clock.moments(name) if type_ == TIME else pl.col(name).cast(type_)
        for name, type_ in table.types.items()
    )


def read_document(
    data: bytes, *, kind: str, key: str, workspace: str, path: str, zone: Zone, beside: Mapping[str, Any]
) -> Mapping[str, list[Row]]:
    """Return the rows that a document adds to each table, faults among them.

    ``beside`` is the content of the ``.meta.json`` that explains a CSV, empty where there is none.
    """
    document = Document(key, zone, beside)
    found: dict[str, list[Row]] = {}
    try:
        for table, row in _rows(document, kind, data):
            found.setdefault(table, []).append({"workspace": workspace, **row})
    except (ValueError, TypeError, KeyError, csv.Error, RecursionError, UsageError) as error:
        found.clear()
        document.faults.append(f"unreadable: {error or 'nested too deeply'}")
    found["faults"] = [
        {"workspace": workspace, "path": path, "reason": reason, "excerpt": excerpt(data)}
        for reason in dict.fromkeys(document.faults)
    ]
    return found


def _rows(document: Document, kind: str, data: bytes) -> Rows:
    if kind == names.CONFIG.name:
        return _config(document, load_yaml(data.decode("utf-8"), where=names.CONFIG.name))
    if kind == names.ANALYSIS_TABLE.name:
        return _TABLE_READERS.get(document.key, _nothing)(document, data)
    read = _READERS.get(kind) or _NAMED_READERS.get((kind, document.key))
    if read is None:
        return iter(())
    document.content = _parse(document, data)
    return read(document)


def _parse(document: Document, data: bytes) -> Mapping[str, Any]:
    """Read strictly but for NaN and infinity, which other programs write: null, and a fault."""
    constants: list[str] = []
    content = parse_json(data, constant=constants.append)
    if not isinstance(content, dict):
        raise ValueError("not an object")
    document.faults += [f"{each} is not a number in JSON; read as null" for each in constants]
    if data.startswith(BYTE_ORDER_MARK):
        document.faults.append(MARK_SKIPPED)
    return content


def _nothing(_document: Document, _data: bytes) -> Rows:
    return iter(())


def _performance(document: Document) -> Rows:
    content, trial = document.content, document.key
    named = content.get("trial_id")
    if named is not None and trial not in spellings(named):
        document.faults.append(f"trial_id is {ascii(named)[:40]}, the file's name says {trial}")
    strategy, parameters = document.text(content, "strategy"), document.section(content, "parameters")
    base: Row = {
        "trial_id": trial,
        "kind": "ensemble" if names.ENSEMBLE.stem.fullmatch(trial) else "trial",
        "status": document.text(content, "status") or "ok",
        "strategy": strategy,
        "parameters": json_text(parameters),
        "error": document.text(content, "error"),
    }
    period = document.text(content, "period_name") or ALL
    metrics = document.section(content, "metrics")
    yield from _period(document, base, period, {**metrics, **_pick(content, "trades", "period")}, metrics)
    for name, part in document.sections(content, "metrics_by_period"):
        if name == period:
            document.faults.append(f"the period {ascii(name)[:40]} twice; its first is read")
            continue
        numbers = {key: value for key, value in part.items() if key not in NOT_METRICS}
        yield from _period(document, base, name, part, numbers)
    for regime, part in document.sections(content, "metrics_by_regime"):
        yield (
            "performance_by_regime",
            {
                "trial_id": trial,
                "strategy": strategy,
                "regime": regime,
                **{name: document.count(part, name) for name in ("bars", "episodes", "trades")},
                **document.metrics(part),
            },
        )
    for name, value in parameters.items():
        yield "parameters", {"trial_id": trial, "name": name, "value": json_text(value)}


NOT_METRICS = frozenset({"trades", "bars", "exposure", "open_trades", "ruined", "period"})


def spellings(named: object) -> set[str]:
    """Every file name that a document's own trial id may mean: 0, "0" and "trial_0" are one trial."""
    return {f"{before}{named}" for before in ("", "trial_", "ensemble_", "ensemble_trial_")}


def _pick(source: Mapping[str, Any], *wanted: str) -> Row:
    return {name: source[name] for name in wanted if name in source}


def _period(
    document: Document, base: Row, period: str, source: Mapping[str, Any], metrics: Mapping[str, Any]
) -> Rows:
    span = document.section(source, "period")
    values = {name: document.number(metrics, name) for name in metrics}
    yield (
        "performance",
        {
            **base,
            "period": period,
            **{name: values.get(name) for name in TABLES["performance"].names if name in METRIC_NAMES},
            "trades": document.count(source, "trades"),
            "period_start": document.moment(span, "start"),
            "period_end": document.moment(span, "end"),
            "metrics": json_text(values),
        },
    )
    for name, value in values.items():
        yield "metrics", {"trial_id": base["trial_id"], "period": period, "name": name, "value": value}


def _validation(document: Document) -> Rows:
    span = document.section(document.content, "period")
    for name, part in document.sections(document.content, "candidates"):
        yield (
            "validations",
            {
                "candidate": name,
                "period_start": document.moment(span, "start"),
                "period_end": document.moment(span, "end"),
                "trades": document.count(part, "trades"),
                **document.metrics(document.section(part, "metrics")),
                "looks": document.count(document.content, "looks"),
            },
        )


def _regime_params(document: Document) -> Rows:
    by_strategy = document.section(document.content, "by_strategy")
    scopes: list[tuple[str | None, Mapping[str, Any], str]] = [
        (None, document.content, "regime_optimal_params"),
        *((strategy, by_strategy, strategy) for strategy in by_strategy),
    ]
    for strategy, holder, name in scopes:
        for regime, entry in document.sections(holder, name):
            parameters = {name: value for name, value in entry.items() if name not in WINNER_FACTS}
            yield (
                "regime_params",
                {
                    "regime": regime,
                    "strategy": strategy,
                    "trial_id": document.text(entry, "trial_id"),
                    "parameters": json_text(parameters),
                    "metric": document.text(entry, "metric"),
                    "performance": document.number(entry, "performance"),
                    **{name: document.count(entry, name) for name in ("bars", "episodes", "trades")},
                    "plateau_score": document.number(entry, "plateau_score"),
                    "edge_of_grid": document.flag(entry, "edge_of_grid"),
                    "fallback_reason": document.text(entry, "fallback_reason"),
                },
            )


def _ensemble_weights(document: Document) -> Rows:
    content = document.content
    members, weights = document.section(content, "members"), document.section(content, "weights")
    for member in weights:
        yield (
            "ensemble_weights",
            {
                "member": member,
                "strategy": document.text(document.section(members, member), "strategy"),
                "weight": document.number(weights, member),
                "method": document.text(content, "method"),
                "recommended": document.text(content, "recommended"),
            },
        )


def _overfitting(document: Document) -> Rows:
    for subject, part in document.sections(document.content, "subjects"):
        yield (
            "overfitting",
            {
                "subject": subject,
                **{
                    name: document.number(part, name)
                    for name in ("psr", "dsr", "effective_trials", "min_track_record", "pbo", "spa_p_value")
                },
                "trials_tried": document.count(part, "trials_tried"),
            },
        )


def _config(document: Document, content: Any) -> Rows:
    """Read what any configuration may say of its workspace, whoever wrote it."""
    try:
        declared_zone(content, where=names.CONFIG.name)
    except UsageError as error:
        document.faults.append(f"{error.found} is no calendar; times are read in {UTC.timezone}")
    for name in ("name", "tags", "note"):
        if isinstance(content, dict) and (value := content.get(name)) is not None:
            yield "facts", {"name": name, "value": value if isinstance(value, str) else json.dumps(value)}


def _environment(document: Document) -> Rows:
    if created := document.text(document.content, "written_at"):
        yield "facts", {"name": "created_at", "value": created}


def _state(document: Document) -> Rows:
    for name in ("phase", "state"):
        if value := document.text(document.content, name):
            yield "facts", {"name": name, "value": value}


_READERS: Mapping[str, Callable[[Document], Rows]] = {
    names.TRIAL.name: _performance,
    names.ENSEMBLE.name: _performance,
    names.VALIDATION.name: _validation,
    names.STATE.name: _state,
}
_NAMED_READERS: Mapping[tuple[str, str], Callable[[Document], Rows]] = {
    (names.ANALYSIS.name, "regime_optimal_params"): _regime_params,
    (names.ANALYSIS.name, "ensemble_weights"): _ensemble_weights,
    (names.ANALYSIS.name, "overfitting"): _overfitting,
    (names.METADATA.name, "environment"): _environment,
}


def _csv(data: bytes) -> Iterator[dict[str, str]]:
    return iter(csv.DictReader(io.StringIO(data.decode("utf-8-sig")), strict=True))


def _regimes(document: Document, data: bytes) -> Rows:
    for row in _csv(data):
        yield (
            "regimes",
            {
                "timestamp": document.moment(row, "timestamp"),
                "regime": row["regime"] or None,
                "basis": row["basis"],
            },
        )


def _returns(document: Document, data: bytes) -> Rows:
    for row in _csv(data):
        instant = document.moment(row, "timestamp")
        for series, value in row.items():
            if series != "timestamp":
                yield "returns", {"series": series, "timestamp": instant, "return": _cell(document, value)}


_KIND_OF = {names.RETURN_CORRELATIONS: "returns", names.POSITION_CORRELATIONS: "positions"}


def _correlations(document: Document, data: bytes) -> Rows:
    """Read each pair once; how many bars they rest on stands in the file beside the matrix."""
    for row in _csv(data):
        (_, trial), *cells = row.items()
        others = [name for name, _ in cells]
        for other, value in cells[others.index(trial) + 1 :]:
            yield (
                "correlations",
                {
                    "kind": _KIND_OF[document.key],
                    "trial_a": trial,
                    "trial_b": other,
                    "correlation": _cell(document, value),
                    "bars": document.count(document.beside, "bars"),
                },
            )


_TABLE_READERS: Mapping[str, Callable[[Document, bytes], Rows]] = {
    names.REGIMES: _regimes,
    names.TEST_REGIMES: _regimes,
    "returns": _returns,
    names.RETURN_CORRELATIONS: _correlations,
    names.POSITION_CORRELATIONS: _correlations,
}


def _cell(document: Document, text: str | None) -> float | None:
    value = float(text) if text else None
    if value is None or math.isfinite(value):
        return value
    document.faults.append(f"{text} is not a finite number; read as null")
    return None
