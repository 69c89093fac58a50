"""What a page tells: one workspace's tables and the few facts that no table holds."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import polars as pl

from workspace_kit.schema import (
    COUNT,
    NUMBER,
    PRICE_QUALITY,
    RECORDS,
    TABLES,
    TIME,
    Column,
    Table,
    natural_order,
)

ENSEMBLE, EQUAL_WEIGHT, BEST_SINGLE = "ensemble", "equal_weight", "best_single"
BUY_AND_HOLD, BENCHMARK = "buy_and_hold", "benchmark"
SERIES = (ENSEMBLE, EQUAL_WEIGHT, BEST_SINGLE, BUY_AND_HOLD, BENCHMARK)
INSTANT = "instant"
LOGITS = Table(
    "logits",
    "bin of the splits' logits",
    (
        Column("low", NUMBER, "lower edge of the bin"),
        Column("high", NUMBER, "upper edge, which belongs to it"),
        Column("splits", COUNT, "splits whose logit lies in the bin"),
    ),
)
KNOWN = {**TABLES, **{table.name: table for table in (*RECORDS, PRICE_QUALITY, LOGITS)}}

Numbers = Mapping[str, float | None]
Interval = tuple[float, float] | None


@dataclass(frozen=True)
class Story:
    """One workspace as a page shows it; whatever is empty or null is said to be missing, never an error.

    ``tables`` are the views of `schema.TABLES` for this workspace alone; ``periods`` are first and last
    instant of train, select and test; all times are naive and in UTC, and are shown in ``timezone``: panels
    see a local ``timestamp`` with its ``instant`` in UTC beside it.
    ``periods_per_year`` and ``risk_free_rate`` (a year) are those the metrics were made with; ``metric`` is
    what best means. ``candidates`` names the trial behind a series (``best_single`` → ``trial_4``).
    ``recommended`` is the series to follow, null where nothing was chosen; it stands first everywhere, and
    ``reason`` says why where no weights could be chosen.
    ``cost_bps`` is the cost of trading as run, in hundredths of a percent of the value traded.
    ``luck_hurdle`` is the annualised Sharpe ratio that the best of all trials tried reaches by luck, and
    ``luck`` what else is known of choosing the best at all. ``statistics`` are numbers by span (``test`` or
    ``all``), series and name; ``intervals`` low and high by period, candidate and metric, at ``confidence``.
    ``near_identical`` are pairs of members that are hardly two. Beside the views, ``tables`` hold
    `schema.RECORDS`, `schema.PRICE_QUALITY` and `LOGITS`.
    ``lineage`` is shown as it stands: digests, versions, command, caveats.
    """

    workspace: str
    name: str
    note: str
    created_at: dt.datetime | None
    as_of: dt.datetime
    timezone: str
    verdict: str
    metric: str
    periods_per_year: float | None
    risk_free_rate: float
    recommended: str | None
    reason: str | None
    cost_bps: float | None
    luck_hurdle: float | None
    luck: Mapping[str, float | None]
    statistics: Mapping[str, Mapping[str, Numbers]]
    intervals: Mapping[str, Mapping[str, Mapping[str, Interval]]]
    confidence: float | None
    near_identical: Sequence[Sequence[str]]
    candidates: Mapping[str, str]
    periods: Mapping[str, tuple[dt.datetime, dt.datetime]]
    tables: Mapping[str, pl.DataFrame]
    lineage: Mapping[str, str]
    warnings: Sequence[str]

    def table(self, name: str) -> pl.DataFrame:
        """Return one table, without rows where the story has none."""
        return self.tables.get(name, KNOWN[name].empty())

    @cached_property
    def series(self) -> Mapping[str, pl.DataFrame]:
        """The returns by series, as `by_series` splits them."""
        return by_series(self.table("returns"))

    @property
    def order(self) -> tuple[str, ...]:
        """The known series, the recommended one first."""
        return tuple(sorted(SERIES, key=lambda name: name != self.recommended))


def prepared(story: Story) -> Story:
    """Return the story with times in its own zone and rows sorted by every column.

    So months are the zone's months, and the order in which rows came changes no byte of a page. Clocks go
    back once a year: beside a local ``timestamp`` its ``instant`` in UTC is kept, and orders rows.
    """
    zone = story.timezone
    return replace(
        story,
        tables={name: _prepared(frame, zone=zone) for name, frame in story.tables.items()},
        periods={
            name: (_local(start, zone), _local(end, zone)) for name, (start, end) in story.periods.items()
        },
    )


def _prepared(frame: pl.DataFrame, *, zone: str) -> pl.DataFrame:
    times = [name for name, type_ in frame.schema.items() if type_ == TIME]
    if not frame.columns:
        return frame
    dated = frame.with_columns(pl.col("timestamp").alias(INSTANT)) if "timestamp" in times else frame
    order = [clock(dated) if name == "timestamp" else name for name in frame.columns]
    return dated.with_columns(_in_zone(pl.col(times), zone)).sort(order, nulls_last=True)


def clock(frame: pl.DataFrame) -> str:
    """Return the column that tells instants apart: the one in UTC, where local time stands beside it."""
    return INSTANT if INSTANT in frame.columns else "timestamp"


def _local(instant: dt.datetime, zone: str) -> dt.datetime:
    shown: dt.datetime = pl.select(_in_zone(pl.lit(instant, dtype=TIME), zone)).item()
    return shown


def _in_zone(times: pl.Expr, zone: str) -> pl.Expr:
    return times.dt.replace_time_zone("UTC").dt.convert_time_zone(zone).dt.replace_time_zone(None)


def in_order(frame: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Sort by text columns in natural order, ``trial_2`` before ``trial_10``."""
    return frame.sort(list(_keys(columns)), nulls_last=True, maintain_order=True)


def _keys(columns: Sequence[str]) -> Iterator[pl.Expr]:
    for column in columns:
        yield from natural_order(column)


def by_series(returns: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """Split the returns table: the five known series in their fixed order, then trials in natural order.

    Rows without a time or a finite return are dropped; of two rows for one instant the smaller return stays.
    """
    instant = clock(returns)
    columns = list(dict.fromkeys(("timestamp", "return", instant)))
    clean = (
        returns.filter(pl.col("return").is_finite(), pl.col("timestamp").is_not_null())
        .sort("series", instant, "return")
        .unique(["series", instant], keep="first", maintain_order=True)
    )
    parts = clean.partition_by("series", as_dict=True, include_key=False, maintain_order=True)
    names = in_order(clean.select("series").unique().drop_nulls(), "series")["series"].to_list()
    known = [name for name in SERIES if name in names]
    others = [name for name in names if name not in SERIES]
    return {name: parts[(name,)].select(columns) for name in known + others}
