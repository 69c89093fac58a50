"""How times without an offset are read in a workspace: its configuration says so, whoever wrote it."""

from typing import Any, NamedTuple

import msgspec

from workspace_kit.config import ClockTime, check_zone
from workspace_kit.errors import ConfigError


class Zone(NamedTuple):
    """Where a naive time lies, and when a date without a time closes."""

    timezone: str
    close_time: str


UTC = Zone("UTC", "23:59:59")


class _Calendar(msgspec.Struct):
    timezone: str = UTC.timezone
    close_time: ClockTime = UTC.close_time


def declared_zone(config: Any, *, where: str) -> Zone:
    """Return how a configuration, whoever wrote it, says that times without an offset are read.

    Raises
    ------
    ConfigError, TimezoneError
        It names no time zone, or no time of day.
    """
    data = config.get("data") if isinstance(config, dict) else None
    try:
        told = msgspec.convert(data if isinstance(data, dict) else {}, _Calendar)
    except msgspec.ValidationError as error:
        raise ConfigError(
            where, found=str(error), expected="data.timezone, data.close_time", remedy="correct it"
        ) from error
    check_zone(told.timezone, where=f"{where}, key data.timezone")
    return Zone(told.timezone, told.close_time)
