"""What an analysis found, as files of ``analysis/``: a document, or a frame as CSV."""

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from workspace_kit.flows.trip import Trip
from workspace_kit.layout import names
from workspace_kit.layout.writer import write_document, write_table

Finding = Mapping[str, object] | pl.DataFrame


def save(trip: Trip, key: str, finding: Finding) -> Path:
    """Put one finding in place under its key and return its path."""
    durability = trip.config.durability
    if isinstance(finding, pl.DataFrame):
        return write_table(trip.workspace, key, finding, durability=durability)
    return write_document(
        trip.workspace, names.ANALYSIS, key, finding, written_at=trip.now, durability=durability
    )
