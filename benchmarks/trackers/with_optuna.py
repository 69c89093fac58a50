"""Trials in a study of Optuna, in a journal file."""

from collections.abc import Iterable
from pathlib import Path

import optuna
import pandas as pd
from optuna.distributions import FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from benchmarks.trackers.trials import BEST, SCORE, Trial

optuna.logging.set_verbosity(optuna.logging.WARNING)
NAME = "trackers"
GRID = {"lookback": IntDistribution(0, 1_000), "threshold": FloatDistribution(0, 1)}


def start(place: Path) -> optuna.Study:
    """Make a study."""
    return optuna.create_study(storage=_storage(place), study_name=NAME, direction="maximize")


def write(study: optuna.Study, trials: Iterable[Trial]) -> None:
    """Add finished trials; metrics beside the score are attributes."""
    for trial in trials:
        more = {name: value for name, value in trial["metrics"].items() if name != SCORE}
        study.add_trial(
            optuna.trial.create_trial(
                params=trial["parameters"],
                distributions=GRID,
                value=trial["metrics"][SCORE],
                user_attrs=more,
            )
        )


def frame(place: Path) -> pd.DataFrame:
    """Load the study."""
    rows = _study(place).trials_dataframe()
    return rows.rename(columns={"params_lookback": "lookback", "value": SCORE})


def best(place: Path) -> list[float]:
    """Load the study, and look through it."""
    values = (trial.value for trial in _study(place).get_trials(deepcopy=False))
    return sorted((value for value in values if value is not None), reverse=True)[:BEST]


def _study(place: Path) -> optuna.Study:
    return optuna.load_study(study_name=NAME, storage=_storage(place))


def _storage(place: Path) -> JournalStorage:
    return JournalStorage(JournalFileBackend(str(place / "journal.log")))
