"""Trials of several workspaces as one set: which are the same, and where the same ones disagree.

Two trials are the same when strategy and parameters are (1 is 1.0, whatever the order of the keys) and when

- they rest on the same prices, known by digest, and the same rules (or, where the rules are not known, the
  same period); or
- where prices are not known, on the same period and the same signals, known by digest.

A trial that says neither strategy, parameters nor signals is the same as no other.
"""

import json
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import polars as pl

from workspace_kit.schema import COUNT, METRIC_NAMES, NUMBER, TEXT, natural_order
from workspace_kit.shown import as_html

_COMPARED = ("trades", *METRIC_NAMES)
_SIDES = ("strategy", "parameters", "workspace_a", "trial_a", "workspace_b", "trial_b")
_IDENTITY = ("strategy", "canonical", "prices_digest", "rules_digest", "_start", "_end", "_signals", "_alone")
_SWEEP_KEY = ("strategy", "canonical", "occurrence")


class Counted(NamedTuple):
    """Each trial once, and what its copies say otherwise.

    ``rows`` are the trials given; of the same ones the first by workspace and trial, ok before failed; with
    ``found_in``, every place it was found in, as a JSON list of objects ``workspace, trial_id``.
    ``conflicts`` has ``strategy, parameters, workspace_a, trial_a, workspace_b, trial_b, metric, a, b,
    difference``, one row per number of the trial counted (a) that a copy (b) has otherwise; null differs from
    every number; ``difference`` is b less a, null where one of them is.
    """

    rows: pl.DataFrame
    conflicts: pl.DataFrame

    def _repr_html_(self) -> str:
        return as_html(self)


class Matched(NamedTuple):
    """Trials of two sweeps side by side.

    ``trials`` has the columns of `Counted.conflicts`, one row per matched pair and metric, equal or not;
    ``only_in_a`` and ``only_in_b`` have ``trial_id, strategy, parameters`` of those without a partner.
    """

    trials: pl.DataFrame
    only_in_a: pl.DataFrame
    only_in_b: pl.DataFrame


def unique_trials(trials: pl.DataFrame) -> Counted:
    """Count each trial once, and list where copies of it disagree.

    Takes a row per workspace and trial: ``workspace, trial_id, strategy, parameters`` (JSON), ``status,
    period_start, period_end, trades``, the metrics, and the digests ``prices_digest, rules_digest,
    signals_digest``, each null where it is not known. Numbers are the same when they are equal to the last
    digit. Rows come in order of workspace and trial.
    """
    ordered = _identified(_in_order(trials)).with_row_index("row")
    known = ordered.with_columns(pl.col("row").min().over(_IDENTITY).alias("same"))
    by_merit = known.sort(pl.col("status").eq_missing("failed"), "row")
    counted = by_merit.unique("same", keep="first", maintain_order=True)
    place = pl.struct("workspace", "trial_id").struct.json_encode()
    places = known.group_by("same", maintain_order=True).agg(place.str.join(", ").alias("places"))
    rows = counted.join(places, on="same").sort("row")
    return Counted(
        rows.select(*trials.columns, pl.format("[{}]", "places").alias("found_in")),
        _conflicts(counted, known.join(counted, on="row", how="anti", maintain_order="left")),
    )


def matched_trials(a: pl.DataFrame, b: pl.DataFrame) -> Matched:
    """Match the trials of two sweeps by strategy and parameters, whatever prices and rules they rest on.

    Takes rows as `unique_trials` does, without digests. Where a sweep tried the same twice, the first goes
    with the first and the second with the second.
    """
    first, second = _numbered(a), _numbered(b)
    partners = second.select(*_SWEEP_KEY, "_place").rename({"_place": "_partner"})
    pairs = first.join(partners, on=_SWEEP_KEY, nulls_equal=True, maintain_order="left").with_row_index(
        "pair"
    )
    others = pairs.select("pair", _place="_partner").join(second, on="_place", maintain_order="left")
    return Matched(_side_by_side(pairs, others), _unmatched(first, second), _unmatched(second, first))


def differences_by_metric(trials: pl.DataFrame) -> pl.DataFrame:
    """Sum `Matched.trials` up by metric.

    Returns ``metric``, how many pairs were ``matched`` and ``differ``, the median of their differences and
    the one farthest from zero, null where no pair has both numbers.
    """
    known = pl.col("difference").drop_nulls()
    return trials.group_by("metric", maintain_order=True).agg(
        pl.len().cast(COUNT).alias("matched"),
        pl.col("a").ne_missing(pl.col("b")).sum().cast(COUNT).alias("differ"),
        known.median().alias("median_difference"),
        known.get(known.abs().arg_max(), null_on_oob=True).alias("largest_difference"),
    )


def differences(a: Mapping[str, object], b: Mapping[str, object]) -> pl.DataFrame:
    """Say where two documents differ.

    Returns ``key`` (dotted; objects of a list that all have a ``name`` go by it), ``a`` and ``b`` as JSON,
    null where the key is not there at all; by key. 1 is 1.0.
    """
    first, second = dict(_leaves(a)), dict(_leaves(b))
    rows = [(key, first.get(key), second.get(key)) for key in sorted({*first, *second})]
    return pl.DataFrame(
        [row for row in rows if row[1] != row[2]], schema={"key": TEXT, "a": TEXT, "b": TEXT}, orient="row"
    )


def canonical_json(text: str) -> str:
    """Write JSON so that what is equal has equal text: keys sorted, 1.0 as 1."""
    return json.dumps(json.loads(text, parse_float=_shortest), sort_keys=True, ensure_ascii=False)


def _shortest(text: str) -> int | float:
    value = float(text)
    return int(value) if value.is_integer() else value


def _leaves(value: object, path: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield every value below a document with its dotted key; an empty object inside is a value."""
    items = _named_items(value)
    if not items and path is not None:
        yield path, canonical_json(json.dumps(value))
    for key, each in items.items():
        yield from _leaves(each, str(key) if path is None else f"{path}.{key}")


def _named_items(value: object) -> Mapping[object, object]:
    """Return the parts of an object, or of a list whose objects have a name each."""
    if isinstance(value, Mapping):
        return value
    parts = value if isinstance(value, list) else []
    named = {each.get("name"): each for each in parts if isinstance(each, Mapping) and each.get("name")}
    return named if len(named) == len(parts) else {}


def _in_order(trials: pl.DataFrame) -> pl.DataFrame:
    """Sort by workspace and trial, and add the parameters in canonical form."""
    written = [None if each is None else canonical_json(each) for each in trials["parameters"]]
    canonical = pl.Series("canonical", written, dtype=TEXT)
    return trials.with_columns(canonical).sort("workspace", *natural_order("trial_id"))


def _identified(trials: pl.DataFrame) -> pl.DataFrame:
    """Add what trials have to share beyond strategy, parameters, prices and rules to be the same."""
    without_prices, without_rules = (pl.col(f"{name}_digest").is_null() for name in ("prices", "rules"))
    says_nothing = pl.col("canonical").is_null() | (
        pl.col("strategy").is_null() & (pl.col("canonical") == "{}") & pl.col("signals_digest").is_null()
    )
    return trials.with_columns(
        pl.when(without_rules).then("period_start").alias("_start"),
        pl.when(without_rules).then("period_end").alias("_end"),
        pl.when(without_prices).then("signals_digest").alias("_signals"),
        pl.when(says_nothing).then(pl.struct("workspace", "trial_id")).alias("_alone"),
    )


def _conflicts(counted: pl.DataFrame, copies: pl.DataFrame) -> pl.DataFrame:
    numbered = copies.drop("row").with_row_index("pair")
    originals = numbered.select("pair", "same").join(counted, on="same", maintain_order="left")
    return _side_by_side(originals, numbered).filter(pl.col("a").ne_missing(pl.col("b")))


def _numbered(trials: pl.DataFrame) -> pl.DataFrame:
    """Number the trials, and those with equal strategy and parameters among themselves."""
    occurrence = pl.int_range(pl.len(), dtype=COUNT).over("strategy", "canonical").alias("occurrence")
    return _in_order(trials).with_columns(occurrence).with_row_index("_place")


def _unmatched(trials: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
    alone = trials.join(others, on=_SWEEP_KEY, how="anti", nulls_equal=True, maintain_order="left")
    return alone.select("trial_id", "strategy", parameters="canonical")


def _side_by_side(a: pl.DataFrame, b: pl.DataFrame) -> pl.DataFrame:
    """Put the numbers of trials that share a ``pair`` beside one another, in order of pair and metric."""
    names_a = a.select("pair", "strategy", "canonical", workspace_a="workspace", trial_a="trial_id")
    names_b = b.select("pair", workspace_b="workspace", trial_b="trial_id")
    return (
        _long(a, "a")
        .join(_long(b, "b"), on=("pair", "metric"))
        .join(names_a, on="pair")
        .join(names_b, on="pair")
        .sort("pair", "metric")
        .rename({"canonical": "parameters"})
        .select(
            *_SIDES, pl.col("metric").cast(TEXT), "a", "b", (pl.col("b") - pl.col("a")).alias("difference")
        )
    )


def _long(trials: pl.DataFrame, side: str) -> pl.DataFrame:
    """Return ``pair, metric`` and the value, metrics in their own order."""
    numbers = trials.select("pair", pl.col(_COMPARED).cast(NUMBER))
    long = numbers.unpivot(index="pair", variable_name="metric", value_name=side)
    return long.with_columns(pl.col("metric").cast(pl.Enum(_COMPARED)))
