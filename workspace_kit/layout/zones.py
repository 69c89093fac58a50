"""How times without an offset are read in a workspace: its configuration says so, whoever wrote it."""

from typing import Any

import msgspec

from workspace_kit.clock import check_zone
from workspace_kit.config import ClockTime
from workspace_kit.errors import ConfigError


class Zone(msgspec.Struct, frozen=True):
    """Where a naive time lies, and when a date without a time closes."""

    timezone: str = "UTC"
    close_time: ClockTime = "23:59:59"


UTC = Zone()


def declared_zone(config: Any, *, where: str, otherwise: Zone = UTC) -> Zone:
    """Return how a configuration, whoever wrote it, says that times without an offset are read.

    What it does not say is as in ``otherwise``.

    Raises
    ------
    ConfigError, TimezoneError
        It names no time zone, or no time of day.
    """
    data = config.get("data") if isinstance(config, dict) else None
    told = msgspec.to_builtins(otherwise) | (data if isinstance(data, dict) else {})
    try:
        zone = msgspec.convert(told, Zone)
    except msgspec.ValidationError as error:
        raise ConfigError(
            f"{where}, key data",
            found=", ".join(f"{name} {ascii(told[name])[:40]}" for name in Zone.__struct_fields__),
            expected="an IANA zone and a time such as 16:00:00",
            remedy="correct it",
        ) from error
    check_zone(zone.timezone, where=f"{where}, key data.timezone")
    return zone
