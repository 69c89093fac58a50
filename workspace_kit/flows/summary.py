"""``performance/summary.json``: what a sweep gave, at the end of phase 1."""

from typing import Any

import polars as pl

from workspace_kit.analysis import overfitting
from workspace_kit.analysis.selection import best_trial
from workspace_kit.flows.catalogs import open_catalog
from workspace_kit.flows.provenance import digest_of
from workspace_kit.flows.trip import Trip
