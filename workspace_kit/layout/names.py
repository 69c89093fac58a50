"""Where each file lies: one object per file kind makes the path and parses it back.

No other module holds a folder's or a file's name.
"""

import datetime as dt
import re
import secrets
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workspace_kit.errors import NameInvalid
from workspace_kit.schema import PRICE_QUALITY, RECORDS
from workspace_kit.shown import as_html

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
FOLDERS = ("signals", "performance", "analysis", "metadata", "checkpoints", "visualizations")
DERIVED = ".workspace_kit"
TRASH = ".trash"
SET_ASIDE = "set_aside"
UNKNOWN = "unknown"
DEFAULT_ROOT = Path("results")
# Below the root, over all workspaces.
INDEX = "index.html"
REGIMES, TEST_REGIMES = "regimes", "validation_regimes"
RETURN_CORRELATIONS, POSITION_CORRELATIONS = "correlation_matrix", "position_correlation_matrix"


@dataclass(frozen=True, slots=True)
class FileKind:
    """One kind of file: ``path`` and ``key`` are inverse to each other."""

    name: str
    folder: str
    stem: re.Pattern[str]
    suffix: str

    def path(self, workspace: Path, key: str) -> Path:
        """Where the file of this key lies."""
        if not self.stem.fullmatch(key):
            raise NameInvalid(
                f"{self.folder}/", found=f"the name {key!r}", expected=self.stem.pattern, remedy="rename it"
            )
        return workspace / self.folder / f"{key}{self.suffix}"

    def key(self, folder: str, name: str) -> str | None:
        """Return the key of a file by folder and name, or null where it is of another kind."""
        if folder != self.folder or not name.endswith(self.suffix):
            return None
        stem = name.removesuffix(self.suffix)
        return stem if self.stem.fullmatch(stem) else None


def _kind(name: str, folder: str, stem: str, suffix: str) -> FileKind:
    return FileKind(name, folder, re.compile(stem), suffix)


_ANY = r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}"
# Below the root, not in a workspace.
ARCHIVE = _kind("archive", "archive", _ANY, ".tar.zst")
# What a signal file was before it was repaired.
ORIGINAL = _kind("original", "signals", rf"{_ANY}\.jsonl\.[1-9][0-9]*", ".damaged")
VALIDATION_SIGNALS = _kind("validation_signals", "signals", r"validation_[A-Za-z0-9._-]{1,117}", ".jsonl")
SIGNALS = _kind("signals", "signals", rf"(?!validation_){_ANY}", ".jsonl")
TRIAL = _kind("trial", "performance", r"trial_[A-Za-z0-9._-]{1,122}", ".json")
ENSEMBLE = _kind("ensemble", "performance", r"ensemble_trial_[A-Za-z0-9._-]{1,113}", ".json")
SUMMARY = _kind("summary", "performance", r"summary", ".json")
VALIDATION = _kind("validation", "performance", r"validation_results", ".json")
PHASE_RESULT = _kind(
    "phase_result", "performance", rf"(?!(ensemble_)?trial_|(summary|validation_results)\Z){_ANY}", ".json"
)
ANALYSIS = _kind("analysis", "analysis", _ANY, ".json")
ANALYSIS_TABLE = _kind("analysis_table", "analysis", _ANY, ".csv")
CONFIG = _kind("config", "metadata", r"config", ".yaml")
METADATA = _kind("metadata", "metadata", _ANY, ".json")
CHECKPOINT = _kind("checkpoint", "checkpoints", _ANY, ".checkpoint")
STARTED = _kind("started", "checkpoints", _ANY, ".started")
STATE = _kind("state", "checkpoints", r"current_state", ".json")
PICTURE = _kind("picture", "visualizations", _ANY, ".png")
PAGE = _kind("page", "visualizations", _ANY, ".html")

KINDS = (
    ORIGINAL,
    VALIDATION_SIGNALS,
    SIGNALS,
    TRIAL,
    ENSEMBLE,
    SUMMARY,
    VALIDATION,
    PHASE_RESULT,
    ANALYSIS,
    ANALYSIS_TABLE,
    CONFIG,
    METADATA,
    CHECKPOINT,
    STARTED,
    STATE,
    PICTURE,
    PAGE,
)
_KINDS_IN = {folder: tuple(kind for kind in KINDS if kind.folder == folder) for folder in FOLDERS}

# What each phase of the main job is about to write, as patterns of paths within a workspace.
PHASE_WRITES: Mapping[str, tuple[str, ...]] = {
    "phase_1": (
        f"{SIGNALS.folder}/trial_*{SIGNALS.suffix}",
        f"{TRIAL.folder}/trial_*{TRIAL.suffix}",
        f"{SUMMARY.folder}/summary{SUMMARY.suffix}",
        f"{ANALYSIS_TABLE.folder}/{REGIMES}{ANALYSIS_TABLE.suffix}",
    ),
    "phase_2": (f"{ANALYSIS.folder}/regime_optimal_params{ANALYSIS.suffix}",),
    "phase_3": (
        f"{ENSEMBLE.folder}/ensemble_trial_*{ENSEMBLE.suffix}",
        f"{ANALYSIS.folder}/ensemble_weights{ANALYSIS.suffix}",
        f"{ANALYSIS.folder}/overfitting{ANALYSIS.suffix}",
        f"{ANALYSIS.folder}/{RETURN_CORRELATIONS}.*",
        f"{ANALYSIS.folder}/{POSITION_CORRELATIONS}.*",
    ),
    "phase_4": (
        f"{VALIDATION_SIGNALS.folder}/validation_*{VALIDATION_SIGNALS.suffix}",
        f"{VALIDATION.folder}/validation_results{VALIDATION.suffix}",
        f"{ANALYSIS_TABLE.folder}/returns{ANALYSIS_TABLE.suffix}",
        f"{ANALYSIS_TABLE.folder}/{TEST_REGIMES}{ANALYSIS_TABLE.suffix}",
        *(
            f"{ANALYSIS_TABLE.folder}/{each.name}{ANALYSIS_TABLE.suffix}"
            for each in (*RECORDS, PRICE_QUALITY)
        ),
    ),
}

_RESULT_TYPES = {
    "signals": ("signals", ".jsonl"),
    "performance": ("performance", ".json"),
    "analysis": ("analysis", ".json"),
    "metadata": ("metadata", ".json"),
    "checkpoint": ("checkpoints", ".checkpoint"),
    "visualizations": ("visualizations", ".png"),
}


@dataclass(frozen=True, slots=True)
class Workspace:
    """One workspace: the root it lies in and its id."""

    root: Path
    id: str

    def _repr_html_(self) -> str:
        return as_html(self)

    def __post_init__(self) -> None:
        check_id(self.id, what="workspace id")

    @property
    def path(self) -> Path:
        """The workspace's own folder."""
        return self.root / self.id

    def command(self, name: str, *arguments: str) -> str:
        """Return what a person types to have a command do something with this workspace."""
        return command(self.root, name, self.id, *arguments)

    def file(self, kind: FileKind, key: str) -> Path:
        """Where a file of this kind lies."""
        return kind.path(self.path, key)


def command(root: Path, name: str, *arguments: str) -> str:
    """Return what a person types to have a command do something with a root, wherever they stand."""
    return " ".join(["workspace-kit", name, *arguments, "--results", shlex.quote(str(root))])


def check_id(name: str, *, what: str) -> str:
    """Return a name that may become part of a path.

    Raises
    ------
    NameInvalid
        Empty, too long, ``..``, or with characters beyond letters, digits, dot, dash and underscore.
    """
    if not ID.fullmatch(name):
        raise NameInvalid(
            what,
            found=ascii(name),
            expected="1 to 128 letters, digits, dots, dashes or underscores, the first a letter or digit",
            remedy="choose another name",
        )
    return name


def explanation(table: Path) -> Path:
    """Where the document lies that explains a CSV of ``analysis/``."""
    return table.with_name(f"{table.stem}.meta{ANALYSIS.suffix}")


def trial_id(trial: int | str) -> str:
    """Return the id of a trial: 0, "0" and "trial_0" are the same trial."""
    text = str(trial)
    if re.fullmatch(r"0|[1-9]\d*", text):
        return f"trial_{text}"
    return check_id(text, what="trial id")


def classify(folder: str, name: str) -> tuple[FileKind, str] | None:
    """Return what a file of a workspace is, by its folder and name, or null where no kind knows it."""
    for kind in _KINDS_IN.get(folder, ()):
        if (key := kind.key(folder, name)) is not None:
            return kind, key
    return None


def new_workspace_id(now: dt.datetime) -> str:
    """Return a fresh id: the instant in UTC and eight random digits."""
    return f"workflow_{now:%Y%m%d_%H%M%S}_{secrets.token_hex(4)}"


def generate_workspace_path(
    workflow_id: str, phase: str, result_type: str, root: Path | str = DEFAULT_ROOT
) -> Path:
    """Where a named result of a phase lies: ``{phase}_{result_type}`` in the folder of its type.

    Raises
    ------
    NameInvalid
        A part that may not become a path, or an unknown result type.
    """
    if result_type not in _RESULT_TYPES:
        raise NameInvalid(
            "result type",
            found=ascii(result_type),
            expected=f"one of {', '.join(_RESULT_TYPES)}",
            remedy="correct it",
        )
    folder, suffix = _RESULT_TYPES[result_type]
    workspace = Workspace(Path(root), workflow_id)
    return workspace.path / folder / f"{check_id(phase, what='phase')}_{result_type}{suffix}"
