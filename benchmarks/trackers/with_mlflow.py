"""Trials as runs of MLflow, in the database it uses by default."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

# Set before it is imported, for it would tell its makers of its use.
os.environ |= {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}

import mlflow
import pandas as pd
from mlflow.entities import Metric, Param

from benchmarks.trackers.trials import BEST, SCORE, Trial

logging.getLogger("mlflow").setLevel(logging.WARNING)
logging.getLogger("alembic").setLevel(logging.WARNING)
NAME = "trackers"


def start(place: Path) -> mlflow.MlflowClient:
    """Make a database and an experiment in it."""
    client = _client(place)
    client.create_experiment(NAME, artifact_location=str(place))
    return client


def write(client: mlflow.MlflowClient, trials: Iterable[Trial]) -> None:
    """Write a run each, its metrics and parameters in one batch."""
    experiment = _experiment(client)
    for trial in trials:
        run = client.create_run(experiment).info.run_id
        client.log_batch(
            run,
            metrics=[Metric(name, value, 0, 0) for name, value in trial["metrics"].items()],
            params=[Param(name, str(value)) for name, value in trial["parameters"].items()],
        )
        client.set_terminated(run)


def frame(place: Path) -> pd.DataFrame:
    """Search all runs."""
    client = _client(place)
    mlflow.set_tracking_uri(_address(place))
    rows = mlflow.search_runs([_experiment(client)], max_results=50_000)
    return rows.rename(columns={"params.lookback": "lookback", f"metrics.{SCORE}": SCORE})


def best(place: Path) -> list[float]:
    """Search for the highest."""
    client = _client(place)
    order = [f"metrics.{SCORE} DESC"]
    runs = client.search_runs([_experiment(client)], order_by=order, max_results=BEST)
    return [run.data.metrics[SCORE] for run in runs]


def _address(place: Path) -> str:
    return f"sqlite:///{place}/mlflow.db"


def _client(place: Path) -> mlflow.MlflowClient:
    return mlflow.MlflowClient(tracking_uri=_address(place))


def _experiment(client: mlflow.MlflowClient) -> str:
    return str(client.get_experiment_by_name(NAME).experiment_id)
