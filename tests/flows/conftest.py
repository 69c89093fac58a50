"""Small sweeps that cost little: the same twice, one with other costs, one on other prices."""

from pathlib import Path

import pytest

import workspace_kit as wk

WORKFLOW = """
name: small
data: {{prices: {prices}, periods_per_year: 252}}
periods: {{train: [2020-01-01, 2020-06-30], select: [2020-07-01, 2020-09-30], test: [2020-10-01, 2020-12-31]}}
strategies: [{{name: momentum, function: momentum, parameters: {{lookback: [2, 3], threshold: [0.0]}}}}]
execution: {{cost_bps: {cost}}}
"""


def prices(modulus: int) -> str:
    rows = [
        f"2020-{month:02d}-{day:02d},{symbol},{10 + (day * month + shift) % modulus}"
        for month in range(1, 13)
        for day in range(1, 28)
        for symbol, shift in (("A", 0), ("B", 3))
    ]
    return "timestamp,symbol,close\n" + "\n".join(rows) + "\n"


@pytest.fixture(scope="session")
def sweeps(tmp_path_factory, epoch) -> Path:
    """A results root with workspaces first, again, costly and other (which rests on other prices)."""
    folder = tmp_path_factory.mktemp("sweeps")
    for name, modulus in (("usual.csv", 7), ("other.csv", 11)):
        (folder / name).write_text(prices(modulus))
    for name, source, cost in (
        ("first", "usual.csv", 10),
        ("again", "usual.csv", 10),
        ("costly", "usual.csv", 20),
        ("other", "other.csv", 10),
    ):
        config = folder / f"{name}.yaml"
        config.write_text(WORKFLOW.format(prices=source, cost=cost))
        wk.run_workflow(config, root=folder / "results", workspace_id=name, until="phase_1", workers=1)
    return folder / "results"
