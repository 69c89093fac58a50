"""The words every stage shares: each table, each column, its types, unit and meaning, once.

Readers, writers, empty frames, DuckDB views and the reference are computed from `TABLES`.
Times are naive and in UTC in every frame, Parquet file and view; on disk they carry a ``Z``.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from workspace_kit.errors import SchemaMismatch
from workspace_kit.shown import as_html

FORMAT_VERSION = 1
TIME = pl.Datetime("us")
TEXT = pl.String()
NUMBER = pl.Float64()
COUNT = pl.Int64()
FLAG = pl.Boolean()

DUCKDB_TYPES: Mapping[pl.DataType, str] = {
    TIME: "TIMESTAMP",
    TEXT: "VARCHAR",
    NUMBER: "DOUBLE",
    COUNT: "BIGINT",
    FLAG: "BOOLEAN",
}

ACTIONS = ("BUY", "SELL", "HOLD")
BULL, BEAR, NEUTRAL = "bull_market", "bear_market", "neutral_market"
REGIMES = (BULL, BEAR, NEUTRAL)
TRAIN, SELECT, TEST = "train", "select", "test"
PERIODS = (TRAIN, SELECT, TEST)
# What is told of a regime's winner beside its parameters, which therefore may not have these names.
WINNER_FACTS = (
    "performance",
    "strategy",
    "trial_id",
    "metric",
    "bars",
    "episodes",
    "trades",
    "interval",
    "plateau_score",
    "edge_of_grid",
    "fallback_reason",
)
PHASES = ("phase_1", "phase_2", "phase_3", "phase_4")


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, Polars type and meaning with its unit."""

    name: str
    type: pl.DataType
    meaning: str
    json: bool = False

    @property
    def duckdb(self) -> str:
        """The type a DuckDB view gives this column."""
        return "JSON" if self.json else DUCKDB_TYPES[self.type]


@dataclass(frozen=True, slots=True)
class Table:
    """One table: its name, what one row is, and its columns in order."""

    name: str
    grain: str
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names in order."""
        return tuple(column.name for column in self.columns)

    @property
    def types(self) -> dict[str, pl.DataType]:
        """Polars type of each column, in order."""
        return {column.name: column.type for column in self.columns}

    def empty(self) -> pl.DataFrame:
        """Return this table without rows."""
        return pl.DataFrame(schema=self.types)

    def frame(self, rows: list[dict[str, object]]) -> pl.DataFrame:
        """Return rows given as dictionaries; a column a row lacks is null, another type an error."""
        columns = {name: [row.get(name) for row in rows] for name in self.names}
        return pl.DataFrame(columns, schema=self.types, strict=True)

    def check(self, frame: pl.DataFrame, *, where: str) -> pl.DataFrame:
        """Return the frame with this table's columns in order.

        Raises
        ------
        SchemaMismatch
            A column is missing or has another type; all differences are named.
        """
        missing = [f"{name!r} is missing" for name in self.names if name not in frame.columns]
        wrong = [
            f"{name!r} is {frame.schema[name]}, expected {type_}"
            for name, type_ in self.types.items()
            if name in frame.columns and frame.schema[name] != type_
        ]
        if differences := sorted(missing + wrong):
            raise SchemaMismatch(
                where,
                found=f"{len(differences)} difference(s) from table {self.name!r}: {'; '.join(differences)}",
                expected=f"columns {', '.join(self.names)}",
                remedy="rename or cast the columns named",
            )
        return frame.select(self.names)


class Reading(NamedTuple):
    """What a read gave, and what it could not give."""

    rows: pl.DataFrame
    faults: pl.DataFrame

    def _repr_html_(self) -> str:
        return as_html(self)


class Batch(NamedTuple):
    """What reading some files gave.

    ``tables`` holds every table of `MIRRORED`, each row with its ``origin``, a signal with its ``line``;
    ``read`` has a row of `READ` for each file.
    """

    tables: Mapping[str, pl.DataFrame]
    read: pl.DataFrame


WORKSPACE = Column("workspace", TEXT, "workflow id, the folder's name")
TRIAL = Column("trial_id", TEXT, "trial_0, trial_1, …; validation_0 for signals over the test period")
STRATEGY = Column("strategy", TEXT, "the strategy's name in the configuration")
REGIME = Column("regime", TEXT, "bull_market, bear_market or neutral_market; null during warm-up")
BARS = Column("bars", COUNT, "bars that the numbers rest on")
EPISODES = Column("episodes", COUNT, "unbroken stretches of the regime")
TRADES = Column("trades", COUNT, "closed trades")
PARAMETERS = Column("parameters", TEXT, "parameters by name", json=True)
METRICS = (
    Column("total_return", NUMBER, "compounded return over the period, 0.1 is 10 %"),
    Column("cagr", NUMBER, "compound annual growth rate"),
    Column("volatility", NUMBER, "annualised sample deviation of bar returns"),
    Column("sharpe_ratio", NUMBER, "annualised mean over deviation of bar returns"),
    Column("sortino_ratio", NUMBER, "annualised mean over downside deviation of bar returns"),
    Column("max_drawdown", NUMBER, "deepest fall from the running peak, zero or negative"),
    Column("win_rate", NUMBER, "share of closed trades with a profit after costs"),
)
METRIC_NAMES = tuple(column.name for column in METRICS)

_TABLES = (
    Table(
        "workspaces",
        "workspace",
        (
            WORKSPACE,
            Column("name", TEXT, "the configuration's name"),
            Column("tags", TEXT, "the configuration's tags", json=True),
            Column("note", TEXT, "the configuration's note"),
            Column("created_at", TIME, "when the workspace was created, UTC"),
            Column("phase", TEXT, "the phase last begun"),
            Column("state", TEXT, "running, complete, failed; null where another program keeps no state"),
            Column("trials", COUNT, "trials with a performance document"),
            Column("bytes", COUNT, "size of all files"),
            Column("path", TEXT, "where it lies"),
        ),
    ),
    Table(
        "files",
        "file",
        (
            WORKSPACE,
            Column("kind", TEXT, "what the file is, told by its place and name"),
            Column("key", TEXT, "its name without the ending"),
            Column("path", TEXT, "where it lies"),
            Column("bytes", COUNT, "size"),
            Column("modified_at", TIME, "last change of its content, UTC"),
        ),
    ),
    Table(
        "signals",
        "signal",
        (
            WORKSPACE,
            TRIAL,
            Column("timestamp", TIME, "when the signal was known, UTC"),
            Column("symbol", TEXT, "the instrument"),
            Column("action", TEXT, "BUY, SELL or HOLD"),
            Column("strength", NUMBER, "conviction, 0 (none) to 1 (full)"),
            STRATEGY,
            Column("extra", TEXT, "fields beyond the five, as written", json=True),
        ),
    ),
    Table(
        "performance",
        "trial or ensemble trial, and period",
        (
            WORKSPACE,
            TRIAL,
            Column("kind", TEXT, "trial or ensemble"),
            Column("period", TEXT, "train, select, or all where the file names none"),
            Column("status", TEXT, "ok or failed"),
            STRATEGY,
            PARAMETERS,
            *(column for column in METRICS if column.name in {"total_return", "sharpe_ratio"}),
            *(column for column in METRICS if column.name in {"max_drawdown", "win_rate"}),
            TRADES,
            Column("period_start", TIME, "first bar, UTC"),
            Column("period_end", TIME, "last bar, UTC"),
            Column("metrics", TEXT, "every metric by name", json=True),
            Column("error", TEXT, "why the trial failed; null where it did not"),
        ),
    ),
    Table(
        "performance_by_regime",
        "trial and regime, over the train period",
        (WORKSPACE, TRIAL, STRATEGY, REGIME, BARS, EPISODES, TRADES, *METRICS),
    ),
    Table(
        "parameters",
        "trial and parameter",
        (
            WORKSPACE,
            TRIAL,
            Column("name", TEXT, "parameter name"),
            Column("value", TEXT, "its value", json=True),
        ),
    ),
    Table(
        "metrics",
        "trial, period and metric",
        (
            WORKSPACE,
            TRIAL,
            Column("period", TEXT, "train, select or all"),
            Column("name", TEXT, "metric name"),
            Column("value", NUMBER, "its value; null where it does not exist"),
        ),
    ),
    Table(
        "regimes",
        "workspace and bar",
        (
            WORKSPACE,
            Column("timestamp", TIME, "close of the bar at which the label was known, UTC"),
            REGIME,
            Column("basis", TEXT, "causal, or ex_post where the future was used"),
        ),
    ),
    Table(
        "regime_params",
        "workspace, regime and strategy (strategy null: the best of all)",
        (
            WORKSPACE,
            REGIME,
            STRATEGY,
            TRIAL,
            PARAMETERS,
            Column("metric", TEXT, "what best means"),
            Column("performance", NUMBER, "the metric's value over the regime's bars"),
            BARS,
            EPISODES,
            TRADES,
            Column("plateau_score", NUMBER, "mean of the metric over the trial and its grid neighbours"),
            Column("edge_of_grid", FLAG, "whether a parameter lies at the end of its grid"),
            Column("fallback_reason", TEXT, "why the global best stands here; null where it does not"),
        ),
    ),
    Table(
        "ensemble_weights",
        "workspace and member",
        (
            WORKSPACE,
            Column("member", TEXT, "name of the member"),
            STRATEGY,
            Column("weight", NUMBER, "share of capital, the members' sum is 1"),
            Column("method", TEXT, "how the weights were chosen"),
            Column("recommended", TEXT, "ensemble, or equal where it did not beat equal weight on select"),
        ),
    ),
    Table(
        "correlations",
        "workspace, kind and pair of trials",
        (
            WORKSPACE,
            Column("kind", TEXT, "returns or positions"),
            Column("trial_a", TEXT, "the first trial"),
            Column("trial_b", TEXT, "the second trial"),
            Column("correlation", NUMBER, "Pearson's coefficient; null where a series is constant"),
            BARS,
        ),
    ),
    Table(
        "returns",
        "workspace, series and bar",
        (
            WORKSPACE,
            Column("series", TEXT, "ensemble, equal_weight, best_single, buy_and_hold, benchmark or a trial"),
            Column("timestamp", TIME, "close of the bar, UTC"),
            Column("return", NUMBER, "simple return over the bar, net of cost"),
        ),
    ),
    Table(
        "validations",
        "workspace and candidate, over the test period",
        (
            WORKSPACE,
            Column("candidate", TEXT, "ensemble, equal_weight, best_single or buy_and_hold"),
            Column("period_start", TIME, "first bar of the test period, UTC"),
            Column("period_end", TIME, "last bar of the test period, UTC"),
            TRADES,
            *METRICS,
            Column("looks", COUNT, "times this test period had been looked at, this one included"),
        ),
    ),
    Table(
        "overfitting",
        "workspace and subject",
        (
            WORKSPACE,
            Column("subject", TEXT, "the trial or the ensemble that is judged"),
            Column("psr", NUMBER, "probability that the true Sharpe ratio is above zero"),
            Column("dsr", NUMBER, "the same, above what the best of all trials tried reaches by luck"),
            Column("trials_tried", COUNT, "every trial tried, failed ones and weight sets included"),
            Column("effective_trials", NUMBER, "independent trials that the tried ones amount to"),
            Column(
                "min_track_record", NUMBER, "bars needed for 95 % confidence in a Sharpe ratio above zero"
            ),
            Column("pbo", NUMBER, "probability that the best in sample is below median out of sample"),
            Column("spa_p_value", NUMBER, "p-value of superior predictive ability over buy-and-hold"),
        ),
    ),
    Table(
        "faults",
        "unreadable line or file",
        (
            WORKSPACE,
            Column("path", TEXT, "the file"),
            Column("line", COUNT, "line number from 1; null for a whole file"),
            Column("byte_offset", COUNT, "where it begins; null for a whole file"),
            Column("length", COUNT, "bytes of it, the newline aside; null for a whole file"),
            Column("reason", TEXT, "what is wrong"),
            Column("excerpt", TEXT, "its first bytes, control characters escaped"),
        ),
    ),
)

TABLES: Mapping[str, Table] = {table.name: table for table in _TABLES}

# What a run records beside its views, for the page: one CSV of ``analysis/`` each.
_SERIES = Column("series", TEXT, "ensemble, equal_weight, best_single or buy_and_hold")
_CLOSE = Column("timestamp", TIME, "close of the bar, UTC")
ACTIVITY = Table(
    "activity",
    "series and bar",
    (
        _SERIES,
        _CLOSE,
        Column("long", NUMBER, "value held long over the bar, as a share of the capital"),
        Column("short", NUMBER, "value held short over the bar, zero or negative"),
        Column("symbols", COUNT, "symbols held"),
        Column("largest", NUMBER, "largest share of the capital in one symbol, by size"),
        Column("turnover", NUMBER, "value traded on the bar, as a share of the capital"),
        Column("cost", NUMBER, "what trading took, as a share of the capital"),
    ),
)
HOLDINGS = Table(
    "holdings",
    "series, symbol and bar on which the share changed",
    (
        _SERIES,
        Column("symbol", TEXT, "the instrument, one of those held most"),
        _CLOSE,
        Column("share", NUMBER, "value held over the bar, as a share of the capital; negative if short"),
    ),
)
ROUND_TRIPS = Table(
    "round_trips",
    "closed trade",
    (
        _SERIES,
        Column("period", TEXT, "train, select or test"),
        Column("member", TEXT, "the member that traded; null where members are netted, or there are none"),
        Column("symbol", TEXT, "the instrument"),
        Column("side", TEXT, "long or short"),
        Column("entered_at", TIME, "close at which it was entered, UTC"),
        Column("exited_at", TIME, "close at which it was left, UTC"),
        BARS,
        Column("return", NUMBER, "simple return net of both costs"),
    ),
)
COST_SENSITIVITY = Table(
    "cost_sensitivity",
    "series and cost, over the test period",
    (
        _SERIES,
        Column("cost_bps", NUMBER, "cost of trading, in hundredths of a percent of the value traded"),
        Column("total_return", NUMBER, "compounded return over the test period"),
        Column("sharpe_ratio", NUMBER, "annualised mean over deviation of bar returns"),
    ),
)
RECORDS = (ACTIVITY, HOLDINGS, ROUND_TRIPS, COST_SENSITIVITY)
PRICE_QUALITY = Table(
    "price_quality",
    "traded symbol",
    (
        Column("symbol", TEXT, "the instrument"),
        Column("first", TIME, "its first price, UTC"),
        Column("last", TIME, "its last price, UTC"),
        Column("bars", COUNT, "bars with a price"),
        Column("missing", COUNT, "bars without one between its first and its last"),
        Column("longest_gap", COUNT, "most such bars in a row"),
        Column("late", COUNT, "bars of the others before its first"),
        Column("early_end", COUNT, "bars of the others after its last"),
        Column("longest_stale", COUNT, "most bars in a row on which its close did not change"),
        Column("suspicious", COUNT, "moves that an unadjusted split or an error would leave"),
    ),
)

FACTS = Table(
    "facts",
    "workspace and what its configuration, environment and state say of it",
    (WORKSPACE, Column("name", TEXT, "what is told"), Column("value", TEXT, "what it is, as written")),
)

# What the mirror keeps, each row as one file told it; the view `workspaces` joins facts and files.
MIRRORED: Mapping[str, Table] = {
    **{name: table for name, table in TABLES.items() if name not in {"workspaces", "files"}},
    "facts": FACTS,
}

# Where a row of the mirror comes from: the path of its file and, of a signal, the number of its line.
ORIGIN = "origin"
LINE = "line"

INVENTORY = Table(
    "inventory",
    "file, of one or many workspaces",
    (
        *TABLES["files"].columns,
        Column("inode", COUNT, "identity on its file system"),
        Column("modified_ns", COUNT, "last change of its content, nanoseconds since 1970"),
        Column("changed_ns", COUNT, "last change of its content or owner, nanoseconds since 1970"),
        Column("context", TEXT, "identity of the files that say how this one is to be read"),
    ),
)

# Which file a signal is of is told in codes: most rows say what the row before says.
_OF_FILE = dict.fromkeys(("workspace", "trial_id", ORIGIN), pl.Categorical())
NO_ROWS: Mapping[str, pl.DataFrame] = {
    **{name: pl.DataFrame(schema={**table.types, ORIGIN: TEXT}) for name, table in MIRRORED.items()},
    "signals": pl.DataFrame(schema={**TABLES["signals"].types, **_OF_FILE, LINE: COUNT}),
}

BOOKMARK = Table(
    "bookmark",
    "file, how far it was read; all null but the path where it has to be read from its beginning",
    (
        Column("path", TEXT, "the file"),
        Column("size", COUNT, "bytes in it when it was read"),
        Column("read_to", COUNT, "bytes of its whole lines, the rest is a torn record"),
        Column("lines", COUNT, "its whole lines"),
        Column("form", TEXT, "whether its times have an offset: naive or aware; null before the first time"),
        Column("timezone", TEXT, "the zone in which its naive times lie"),
        Column("close_time", TEXT, "when a date in it closes"),
        Column("digest", TEXT, "sha256 of its first and last whole bytes"),
        Column("checksum", COUNT, "CRC-32 of all its whole lines"),
    ),
)

READ = Table(
    "read",
    "file, how far it is read now",
    (
        *BOOKMARK.columns,
        Column("begun_at", COUNT, "the byte from which it was read"),
        Column("is_unread", FLAG, "whether nothing was read of it for a reason that may pass"),
    ),
)

PRICES = Table(
    "prices",
    "symbol and bar",
    (
        Column("timestamp", TIME, "close of the bar, UTC"),
        Column("symbol", TEXT, "the instrument"),
        Column("close", NUMBER, "price at the close, positive"),
    ),
)

STRATEGY_SIGNALS = Table(
    "strategy signals",
    "symbol and bar",
    tuple(
        column
        for column in TABLES["signals"].columns
        if column.name in {"timestamp", "symbol", "action", "strength"}
    ),
)


def natural_order(column: str) -> Iterator[pl.Expr]:
    """Sort keys that put ``trial_2`` before ``trial_10``: the text, then the number it ends in."""
    name = pl.col(column)
    yield name.str.replace(r"[0-9]+$", "")
    yield name.str.extract(r"([0-9]{1,18})$").cast(pl.Int64)
    yield name


def naturally(names: Iterable[str]) -> list[str]:
    """Return names in natural order."""
    return pl.DataFrame({"name": list(names)}, {"name": TEXT}).sort(*natural_order("name"))["name"].to_list()


def in_file_order(signals: pl.DataFrame) -> pl.DataFrame:
    """Order signals, given with ``origin`` and ``line``, by workspace, trial as people count, file and line.

    Rows of one line stay as they are; rows that come in this order are given back as they came.
    """
    file = ("workspace", "trial_id", ORIGIN)
    files = signals.select(file).unique().sort("workspace", *natural_order("trial_id"), ORIGIN)
    places = files.select(ORIGIN).with_row_index("place")
    placed = signals.join(places, on=ORIGIN, how="left", maintain_order="left")
    return placed.sort("place", LINE, maintain_order=True).drop("place")
