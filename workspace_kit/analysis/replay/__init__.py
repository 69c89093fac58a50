"""What signals would have earned: signals and prices in; positions, trades, costs and returns out.

``calendar`` turns prices into bars, ``orders`` turns signals into targets on them (and back), ``accounts``
follows the targets. Arrays are [T, S]: T bars in order of time, S symbols in the order asked for.
"""

from workspace_kit.analysis.replay.accounts import Replay, replay
from workspace_kit.analysis.replay.calendar import Bars, Matrix, bars
from workspace_kit.analysis.replay.orders import Targets, buy_and_hold, changes, dense, targets

__all__ = [
    "Bars",
    "Matrix",
    "Replay",
    "Targets",
    "bars",
    "buy_and_hold",
    "changes",
    "dense",
    "replay",
    "targets",
]
