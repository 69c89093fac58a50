import pytest

from workspace_kit.errors import ConfigError, TimezoneError
from workspace_kit.layout.zones import UTC, Zone, declared_zone


@pytest.mark.parametrize(
    ("config", "zone"),
    [
        (None, UTC),
        ([], UTC),
        ({"data": 5}, UTC),
        ({"data": {}}, UTC),
        ({"data": {"timezone": "Asia/Kolkata"}}, Zone("Asia/Kolkata", "23:59:59")),
        ({"data": {"close_time": "16:00:00", "prices": 5}}, Zone("UTC", "16:00:00")),
    ],
)
def test_what_a_configuration_does_not_declare_is_utc_and_the_end_of_the_day(
    config: object, zone: Zone
) -> None:
    assert declared_zone(config, where="w") == zone


def test_what_it_does_not_declare_may_be_told_otherwise() -> None:
    told = Zone("Asia/Kolkata", "15:30:00")
    assert declared_zone({"data": {"timezone": "UTC"}}, where="w", otherwise=told) == Zone("UTC", "15:30:00")


@pytest.mark.parametrize(
    "name", ["Mars/Phobos", "", "..", "/etc/passwd", "UTC\x00", "America", "posix/UTC", "localtime"]
)
def test_a_zone_that_either_reader_of_times_does_not_know_is_refused(name: str) -> None:
    with pytest.raises(TimezoneError) as caught:
        declared_zone({"data": {"timezone": name}}, where="w")
    assert str(caught.value) == (
        f"w, key data.timezone: found {name!r}, "
        "expected an IANA zone such as UTC or America/New_York; correct it"
    )


@pytest.mark.parametrize(
    "data", [{"timezone": 5}, {"timezone": None}, {"close_time": "25:00:00"}, {"close_time": 16}]
)
def test_what_is_no_zone_or_time_of_day_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match="w, key data: found timezone "):
        declared_zone({"data": data}, where="w")
