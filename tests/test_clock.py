import datetime as dt
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from workspace_kit import clock
from workspace_kit.schema import TIME

moment = dt.datetime.fromisoformat

ZONES = (
    "UTC",
    "America/New_York",
    "America/Sao_Paulo",
    "Europe/Dublin",
    "Australia/Lord_Howe",
    "Asia/Kolkata",
    "Pacific/Apia",
    "Africa/Monrovia",
)
CLOSES = ("00:00:00", "16:00", "16:00:00", "23:59:59")

days = st.dates(dt.date(995, 1, 1), dt.date(2105, 12, 31)).map(str) | st.sampled_from(
    [
        "2020-02-30",
        "2021-03-14",
        "2021-11-07",
        "2021-04-04",
        "2011-12-30",
        "0000-01-01",
        "20200101",
        "٢٠٢٠-٠١-٠١",
    ]
)
clocks = st.times().map(str) | st.sampled_from(
    [
        "",
        "09:30",
        "02:30:00",
        "01:30:00.5",
        "24:00:00",
        "23:59:60",
        "9:30",
        "09:30:00.1234567891",
        "09:30:00,5",
    ]
)
offsets = st.sampled_from(
    ["", "", "Z", "z", "+02:00", "-0500", "+05:30", "+23:59", "+24:00", "+12:60", "-00:01", "+01", " Z", "\n"]
)
written_times = st.builds(
    lambda day, between, clock_time, offset: f"{day}{between}{clock_time}{offset}",
    days,
    st.sampled_from(["T", "T", "t", " ", "", "_"]),
    clocks,
    offsets,
)
times = days | written_times | st.text("0123456789-:TZ+. ", max_size=25) | st.text(max_size=12)


def column(
    texts: list[str | None], *, timezone: str = "UTC", close_time: str = "23:59:59"
) -> list[dt.datetime]:
    read = clock.to_utc(pl.Series(texts, dtype=pl.String), timezone=timezone, close_time=close_time)
    assert read.dtype == TIME
    return read.to_list()


@settings(deadline=None, max_examples=120)
@given(st.lists(times, max_size=30), st.sampled_from(ZONES), st.sampled_from(CLOSES))
@example(["2016-12-31T23:59:60Z", "2020-01-01t09:30z", "2020-01-01T00:00:00+12:60"], "UTC", "23:59:59")
@example(["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00", "0000-01-01"], "UTC", "23:59:59")
@example(
    ["2150-07-01T12:00", "2099-07-01T12:00", "1000-01-01", "1700-01-01T12:00"], "America/New_York", "16:00:00"
)
def test_a_column_of_times_and_single_times_are_read_alike(texts: list[str], zone: str, close: str) -> None:
    single = [clock.instant(each, timezone=zone, close_time=close) for each in texts]
    assert column(texts, timezone=zone, close_time=close) == single


LOCAL = st.datetimes(moment("1970-01-01"), moment("2099-12-30")) | st.builds(
    dt.datetime.combine,
    st.sampled_from(
        [moment(day) for day in ("2021-03-14", "2021-11-07", "2021-04-04", "2021-10-03", "2011-12-30")]
    ),
    st.times(max_value=dt.time(3)),
)


@settings(deadline=None, max_examples=80)
@given(LOCAL, st.sampled_from(ZONES))
def test_a_time_names_an_instant_exactly_where_the_zone_neither_skips_nor_repeats_it(
    local: dt.datetime, zone: str
) -> None:
    info = ZoneInfo(zone)
    instants = {local.replace(tzinfo=info, fold=fold).astimezone(dt.UTC) for fold in (0, 1)}
    back = {each.astimezone(info).replace(tzinfo=None, fold=0) for each in instants}
    names_one = len(instants) == 1 and back == {local}
    wanted = instants.pop().replace(tzinfo=None) if names_one else None
    assert clock.instant(local.isoformat(), timezone=zone, close_time="00:00:00") == wanted


@pytest.mark.parametrize(
    ("written", "zone", "instant"),
    [
        ("2020-07-01T09:30:00", "UTC", "2020-07-01T09:30:00"),
        ("2020-07-01 09:30", "America/New_York", "2020-07-01T13:30:00"),
        ("2020-07-01T09:30:00+02:00", "America/New_York", "2020-07-01T07:30:00"),
        ("2020-07-01T09:30:00-0530", "UTC", "2020-07-01T15:00:00"),
        ("2020-07-01T09:30:00.123456789Z", "UTC", "2020-07-01T09:30:00.123456"),
        ("2020-07-01", "UTC", "2020-07-01T16:00:00"),
        ("2020-07-01", "America/New_York", "2020-07-01T20:00:00"),
        ("2021-03-14T02:30:00", "America/New_York", None),  # skipped
        ("2021-11-07T01:30:00", "America/New_York", None),  # comes twice
        ("2021-11-07T01:30:00-04:00", "America/New_York", "2021-11-07T05:30:00"),
        ("2011-12-30T12:00:00", "Pacific/Apia", None),  # a whole day skipped
        ("2016-12-31T23:59:60Z", "UTC", None),
        ("2020-02-30", "UTC", None),
        ("0999-12-31", "UTC", None),
        ("2100-01-01", "UTC", None),
        ("yesterday", "UTC", None),
        ("", "UTC", None),
    ],
)
def test_times_are_read_as_people_mean_them(written: str, zone: str, instant: str | None) -> None:
    wanted = None if instant is None else moment(instant)
    assert column([written], timezone=zone, close_time="16:00:00") == [wanted]
    assert clock.instant(written, timezone=zone, close_time="16:00:00") == wanted


def test_the_form_of_a_time_is_told_from_its_text_alone() -> None:
    texts = ["2020-01-01", "2020-01-01T09:30", "2020-01-01T09:30Z", "2020-01-01T09:30+01:00", "soon", None]
    assert clock.forms(pl.Series(texts)).to_list() == ["date", "naive", "aware", "aware", None, None]


def test_a_readable_time_always_has_a_form() -> None:
    texts = ["2021-03-14T02:30:00", "2020-02-30", "2020-01-01"]
    assert clock.forms(pl.Series(texts)).null_count() == 0


@pytest.mark.parametrize("texts", [[], [None], [None, None]])
def test_no_times_and_null_times_stay_what_they_are(texts: list[str | None]) -> None:
    assert column(texts) == texts


instants = st.datetimes(moment("1000-01-02"), moment("2099-12-30"))


@settings(deadline=None, max_examples=50)
@given(st.lists(instants | st.none(), max_size=20))
def test_a_column_of_instants_is_written_as_single_ones_are(moments: list[dt.datetime | None]) -> None:
    frame = pl.DataFrame({"t": moments}, schema={"t": TIME})
    wanted = [None if each is None else clock.text(each) for each in moments]
    assert frame.select(clock.texts("t")).to_series().to_list() == wanted


@settings(deadline=None, max_examples=50)
@given(instants)
def test_what_was_written_is_read_back_to_the_microsecond(at: dt.datetime) -> None:
    written = clock.text(at)
    assert clock.moment(written) == at
    assert clock.instant(written, timezone="Asia/Kolkata", close_time="00:00:00") == at
    assert column([written], timezone="Asia/Kolkata") == [at]


def test_instants_are_written_in_utc_with_a_fraction_only_where_there_is_one() -> None:
    paris = dt.timezone(dt.timedelta(hours=2))
    assert clock.text(moment("2020-07-01T09:30:00").replace(tzinfo=paris)) == "2020-07-01T07:30:00Z"
    assert clock.text(moment("2020-07-01T09:30:00")) == "2020-07-01T09:30:00Z"
    assert clock.text(moment("2020-07-01T09:30:00.000001")) == "2020-07-01T09:30:00.000001Z"
