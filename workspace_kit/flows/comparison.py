"""Two workspaces side by side: what was configured, what they rest on, what equal trials gave."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import polars as pl

from workspace_kit.analysis.composite import Matched, differences, differences_by_metric, matched_trials
from workspace_kit.errors import WorkspaceKitError
from workspace_kit.flows.catalogs import open_catalog, open_workspace, reading
from workspace_kit.flows.origins import content_of
from workspace_kit.flows.provenance import digest_of
from workspace_kit.flows.trip import Reporter, silent
from workspace_kit.layout import names
from workspace_kit.layout.names import DEFAULT_ROOT, Workspace
from workspace_kit.layout.reader import read_bytes
from workspace_kit.plain_yaml import load_yaml
from workspace_kit.schema import NUMBER, TEXT
from workspace_kit.shown import as_html

SHOWN = "sharpe_ratio"
Titled = tuple[str, pl.DataFrame | None]
_NAMED_PAIR = {"name": TEXT, "a": TEXT, "b": TEXT}
_ROW = {"part": TEXT, "subject": TEXT, **_NAMED_PAIR, "difference": NUMBER}


class Comparison(NamedTuple):
    """Workspace ``a`` against workspace ``b``.

    ``config`` has ``key, a, b`` for each dotted key of the configuration that differs, values as JSON, null
    where the key is not there; ``data`` (prices and digests) and ``versions`` have ``name, a, b``, equal or
    not, null where a workspace does not say; ``trials`` are matched by strategy and parameters, numbers on
    train; ``faults`` lists what could not be read in either.
    """

    a: str
    b: str
    config: pl.DataFrame
    data: pl.DataFrame
    versions: pl.DataFrame
    trials: Matched
    faults: pl.DataFrame

    def _repr_html_(self) -> str:
        return as_html(self)

    @property
    def rows(self) -> pl.DataFrame:
        """Everything in one frame: ``part, subject, name, a, b, difference``, a and b as text.

        ``part`` is config, data, versions or trials; the subject of a trial is its strategy and parameters.
        """
        subject = pl.format("{} {}", pl.col("strategy").fill_null(""), "parameters").str.strip_chars_start()
        sides = [
            self.trials.only_in_a.rename({"trial_id": "a"}),
            self.trials.only_in_b.rename({"trial_id": "b"}),
        ]
        pairs = self.trials.trials.unique(["trial_a", "trial_b"], maintain_order=True)
        found = [pairs.select("strategy", "parameters", a="trial_a", b="trial_b"), *sides]
        numbers = self.trials.trials.with_columns(pl.col("a", "b").cast(TEXT))
        parts = [
            self.config.rename({"key": "name"}).with_columns(pl.lit("config").alias("part")),
            self.data.with_columns(pl.lit("data").alias("part")),
            self.versions.with_columns(pl.lit("versions").alias("part")),
            *(
                each.with_columns(subject.alias("subject"), name=pl.lit("trial_id"), part=pl.lit("trials"))
                for each in found
            ),
            numbers.with_columns(subject.alias("subject"), name=pl.col("metric"), part=pl.lit("trials")),
        ]
        empty = pl.DataFrame(schema=_ROW)
        return pl.concat([empty, *parts], how="diagonal").select(_ROW.keys())


def compare_workspaces(
    a: str | Path | Workspace,
    b: str | Path | Workspace,
    root: Path | str = DEFAULT_ROOT,
    *,
    reporter: Reporter = silent,
) -> Comparison:
    """Compare two workspaces, by their ids below a root or by their own folders.

    Raises
    ------
    WorkspaceNotFound, NameInvalid
        One of them is not there.
    """
    first, second = open_workspace(a, root), open_workspace(b, root)
    trials, faults = zip(*(_trials_and_faults(each, reporter) for each in (first, second)), strict=True)
    made = [content_of(each, names.METADATA, "environment") for each in (first, second)]
    configs = [_written_config(each) for each in (first, second)]
    return Comparison(
        first.id,
        second.id,
        differences(configs[0], configs[1]),
        _pairs(*(_data(*each) for each in zip(configs, made, strict=True))),
        _pairs(*(_section(each, "versions") for each in made)),
        matched_trials(trials[0], trials[1]),
        pl.concat(faults).unique(maintain_order=True),
    )


def comparison_told(comparison: Comparison) -> Iterator[Titled]:
    """Yield what one asks first of two workspaces, each with a title; what is equal is only counted."""
    config, data, versions, trials = comparison[2:6]
    yield f"a is {comparison.a}, b is {comparison.b}", None
    yield f"Configuration: {config.height} key(s) differ", config
    yield "Data", data
    yield _counted("Versions", versions), _unequal(versions)
    yield _summed_up(trials), differences_by_metric(trials.trials)
    sharpe = _unequal(trials.trials).filter(pl.col("metric") == SHOWN)
    yield (
        f"{SHOWN} on train (every metric: --format csv)",
        sharpe.drop("workspace_a", "workspace_b", "metric"),
    )
    yield f"{trials.only_in_a.height} trial(s) only in a", trials.only_in_a
    yield f"{trials.only_in_b.height} trial(s) only in b", trials.only_in_b
    if comparison.faults.height:
        yield f"{comparison.faults.height} fault(s): lines or files that could not be read", comparison.faults


def _unequal(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.filter(pl.col("a").ne_missing(pl.col("b")))


def _counted(what: str, rows: pl.DataFrame) -> str:
    return f"{what}: {_unequal(rows).height} of {rows.height} differ"


def _summed_up(trials: Matched) -> str:
    pairs = ["trial_a", "trial_b"]
    differ = _unequal(trials.trials).n_unique(pairs)
    matched = trials.trials.n_unique(pairs)
    return f"Trials: {differ} of {matched} matched by strategy and parameters differ on train"


def _trials_and_faults(workspace: Workspace, reporter: Reporter) -> tuple[pl.DataFrame, pl.DataFrame]:
    with (
        reading(reporter) as progress,
        open_catalog(workspace.root, [workspace.id], progress=progress) as catalog,
    ):
        return catalog.answer("trials_on_train"), catalog.table("faults")


def _written_config(workspace: Workspace) -> Mapping[str, Any]:
    """Return the configuration as it was written, whoever wrote it; empty where it cannot be read."""
    try:
        text = read_bytes(workspace.file(names.CONFIG, "config")).decode("utf-8", "replace")
        content = load_yaml(text, where=str(workspace.path))
    except WorkspaceKitError:
        return {}
    return content if isinstance(content, dict) else {}


def _data(config: Mapping[str, Any], environment: Mapping[str, Any]) -> dict[str, Any]:
    prices, commit = _section(environment, "prices"), _section(environment, "git").get("commit")
    return {
        "prices": prices.get("source"),
        "prices_digest": prices.get("digest"),
        "config_digest": digest_of(config) if config else None,
        "commit": commit,
    }


def _section(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def _pairs(a: Mapping[str, Any], b: Mapping[str, Any]) -> pl.DataFrame:
    """Put two mappings beside one another by name, values as text."""
    rows = [(name, _text(a.get(name)), _text(b.get(name))) for name in dict.fromkeys([*a, *b])]
    return pl.DataFrame(rows, schema=_NAMED_PAIR, orient="row")


def _text(value: object) -> str | None:
    return None if value is None else str(value)
