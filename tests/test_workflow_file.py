import copy
import datetime as dt

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workspace_kit.config import REGIME_METHODS, WEIGHT_METHODS, Config
from workspace_kit.errors import ConfigError, TimezoneError
from workspace_kit.plain_yaml import dump_yaml
from workspace_kit.schema import WINNER_FACTS
from workspace_kit.workflow_file import dump_config, example_text, parse_config

TEXT = """
data: {prices: p.csv, periods_per_year: 12}
periods: {train: [2000-01-01, 2000-12-31], select: [2001-01-01, 2001-12-31], test: [2002-01-01, 2002-12-31]}
strategies: [{name: trend, function: momentum, parameters: {lookback: [1, 2]}}]
"""


def refusal(text: str) -> str:
    with pytest.raises((ConfigError, TimezoneError)) as caught:
        parse_config(text, where="flow.yaml")
    return str(caught.value)


def test_the_packaged_example_is_read_and_written_back_unchanged() -> None:
    config = parse_config(example_text(), where="example")
    assert parse_config(dump_config(config), where="dump") == config


def test_what_is_left_out_has_its_default_and_is_written_out() -> None:
    config = parse_config(TEXT, where="flow.yaml")
    assert config.data.close_time == "23:59:59"
    assert "close_time: '23:59:59'" in dump_config(config)
    assert "cost_bps: 10.0" in dump_config(config)


names = st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,8}\Z")
texts = st.text(max_size=8) | st.sampled_from(["0700", "0008", "NO", "16:00", "1e5", "null", "^GSPC", "\x85"])
values = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | texts | st.floats(-1e300, 1e300)
parameter_names = texts.filter(lambda name: name not in WINNER_FACTS)
counts = st.integers(1, 500)
shares = st.floats(1e-6, 1)


def tried(each: st.SearchStrategy) -> st.SearchStrategy[list]:
    """At least one value, and none that is written like another."""
    return st.lists(
        each, min_size=1, max_size=3, unique_by=lambda value: msgspec.json.encode(value, order="sorted")
    )


def mapping(**fields: st.SearchStrategy) -> st.SearchStrategy[dict]:
    """A section of the file in which every field may be left out."""
    return st.fixed_dictionaries({}, optional=fields)


days = st.lists(st.dates(dt.date(1950, 1, 1), dt.date(2099, 1, 1)), min_size=6, max_size=6, unique=True).map(
    sorted
)
strategies = st.lists(
    st.fixed_dictionaries(
        {"name": names, "function": st.just("momentum")},
        optional={
            "parameters": st.dictionaries(parameter_names, tried(values), max_size=3)
            | tried(st.dictionaries(parameter_names, values, max_size=2))
        },
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda strategy: strategy["name"],
)
documents = st.fixed_dictionaries(
    {
        "data": st.fixed_dictionaries(
            {"prices": texts, "periods_per_year": st.floats(0.1, 1e4)},
            optional={
                "timezone": st.sampled_from(["UTC", "America/New_York"]),
                "close_time": st.times().map(lambda time: time.strftime("%H:%M:%S")),
                "benchmark": st.none() | texts,
                "symbols": st.just("all") | st.lists(texts, max_size=3),
                "risk_free_rate": st.floats(0, 1),
            },
        ),
        "periods": days.map(lambda d: {"train": [d[0], d[1]], "select": [d[2], d[3]], "test": [d[4], d[5]]}),
        "strategies": strategies,
    },
    optional={
        "name": texts,
        "tags": st.lists(texts, max_size=2),
        "note": texts,
        "seed": st.integers(0, 2**63),
        "metric": st.sampled_from(["sharpe_ratio", "win_rate"]),
        "search": st.just({"method": "grid"})
        | st.builds(lambda n: {"method": "random", "trials": n}, counts),
        "execution": mapping(
            delay=counts, direction=st.sampled_from(["long_only", "long_short"]), cost_bps=st.floats(0, 1e3)
        ),
        "regimes": mapping(
            method=st.sampled_from([*REGIME_METHODS, "my.module:labels"]),
            band=st.floats(0, 1),
            undercut=st.booleans(),
            minimum=mapping(bars=st.just("auto") | counts, episodes=counts),
        ),
        "ensemble": mapping(
            method=st.sampled_from(["simplex_grid", *WEIGHT_METHODS]), step=shares, cap=shares
        ),
        "signals": st.sampled_from(["changes", "dense"]),
        "durability": st.sampled_from(["none", "commit", "always"]),
    },
)


@settings(deadline=None, max_examples=60)
@given(documents)
def test_a_configuration_written_and_read_is_the_same_configuration(document: dict) -> None:
    config = msgspec.convert(document, Config, strict=True)
    assert parse_config(dump_config(config), where="dump") == config


FULL = msgspec.to_builtins(parse_config(TEXT, where="flow.yaml"))


@pytest.mark.parametrize(
    "section", [None, *(name for name, value in FULL.items() if isinstance(value, dict))]
)
def test_a_misspelt_key_anywhere_is_named_with_its_place_and_the_nearest_known_one(
    section: str | None,
) -> None:
    for key in FULL if section is None else FULL[section]:
        document = copy.deepcopy(FULL)
        held = document if section is None else document[section]
        held[f"{key}e"] = held.pop(key)
        text = refusal(dump_yaml(document))
        place = f"{section}.{key}e" if section else f"{key}e"
        assert text.startswith(f"flow.yaml, key {place}: found an unknown key '{key}e', expected one of ")
        assert text.endswith(f"; did you mean {key!r}?")


def test_an_unknown_key_is_named_with_its_place_and_the_nearest_known_one() -> None:
    assert refusal(f"{TEXT}ensemble: {{stepp: 0.1}}") == (
        "flow.yaml, key ensemble.stepp: found an unknown key 'stepp', "
        "expected one of method, step, mode, cap, temperature, linkage; did you mean 'step'?"
    )
    assert refusal(TEXT.replace("name:", "nmae:")) == (
        "flow.yaml, key strategies[0].nmae: found an unknown key 'nmae', "
        "expected one of name, function, parameters; did you mean 'name'?"
    )
    assert refusal(f"{TEXT}xyzzy: 1").endswith("signals, durability; remove it")


@pytest.mark.parametrize(
    ("addition", "message"),
    [
        ("seed: true", "key seed: found True, expected int; correct the value"),
        ("seed: -1", "key seed: found -1, expected int >= 0; correct the value"),
        (
            "metric: sharp_ratio",
            "key metric: found 'sharp_ratio', expected one of total_return, cagr, sharpe_ratio, "
            "sortino_ratio, max_drawdown, win_rate; did you mean 'sharpe_ratio'?",
        ),
        (
            "durability: NO",
            "key durability: found 'NO', expected one of none, commit, always; correct the value",
        ),
        (
            "regimes: {minimum: {bars: many}}",
            "key regimes.minimum.bars: found 'many', expected one of auto, a whole number; correct the value",
        ),
        (
            "regimes: {method: trend_band}",
            "key regimes.method: found 'trend_band', expected one of trend_bands, hysteresis, "
            "drawdown_bands, volatility_terciles, lunde_timmermann, lunde_timmermann_causal, "
            "or package.module:function; did you mean 'trend_bands'?",
        ),
        (
            "regimes: {correction: 0.3}",
            "key regimes.correction: found 0.3, deeper than down: 0.2, expected a correction no deeper than "
            "the fall that makes a bear market; lower correction or raise down",
        ),
        (
            "search: {method: random}",
            "key search: found method random without trials, expected the number of draws per strategy; "
            "add `trials: 200`, or use `method: grid`",
        ),
        ("tags: trend", "key tags: found 'trend', expected array; correct the value"),
        ("execution: {delay: 0}", "key execution.delay: found 0, expected int >= 1; correct the value"),
        ("regimes: 5", "key regimes: found 5, expected object; correct the value"),
    ],
)
def test_a_value_that_cannot_be_meant_says_what_could_be(addition: str, message: str) -> None:
    assert refusal(TEXT + addition) == f"flow.yaml, {message}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "2001-01-01",
            "2000-06-01",
            "key periods.select: found a start on 2000-06-01, within or before train, which ends on "
            "2000-12-31, expected disjoint periods in the order train, select, test; "
            "let select start after 2000-12-31",
        ),
        (
            "[2000-01-01, 2000-12-31]",
            "[2000-12-31, 2000-01-01]",
            "key periods.train: found 2000-12-31 to 2000-01-01, expected a first day on or before the last; "
            "swap them",
        ),
        (
            "2002-01-01",
            "2002-13-01",
            "key periods.test[0]: found '2002-13-01', expected a day such as 2020-12-31; correct the value",
        ),
        (
            "[2002-01-01, 2002-12-31]",
            "[2002-01-01]",
            "key periods.test: found ['2002-01-01'], expected array of length 2; correct the value",
        ),
        (
            "prices: p.csv, ",
            "",
            "key data: found {'periods_per_year': 12}, expected the key 'prices' in it; correct the value",
        ),
        (
            "12}",
            "12, timezone: Mars/Phobos}",
            "key data.timezone: found 'Mars/Phobos', expected an IANA zone such as UTC or America/New_York; "
            "correct it",
        ),
        (
            "12}",
            "12, symbols: [0700]}",
            "key data.symbols[0]: found 700, expected str; correct the value",
        ),
        (
            "lookback",
            "trades",
            "key strategies[0].parameters.trades: found a name that result files use for something else, "
            "expected any name but performance, strategy, trial_id, metric, bars, episodes, trades, "
            "interval, plateau_score, edge_of_grid, fallback_reason; rename the parameter",
        ),
        (
            "[1, 2]",
            "[]",
            "key strategies[0].parameters.lookback: found [], "
            "expected at least one value, each once; add one",
        ),
        (
            "[1, 2]",
            "[1, 2, 1]",
            "key strategies[0].parameters.lookback: found [1, 2, 1], expected at least one value, each once; "
            "remove the repeated ones",
        ),
        (
            "]}}]",
            "]}}, {name: trend, function: breakout}]",
            "key strategies: found the name 'trend' twice, expected a name for each strategy; rename one",
        ),
    ],
)
def test_what_single_values_cannot_show_is_refused_too(old: str, new: str, message: str) -> None:
    assert refusal(TEXT.replace(old, new, 1)) == f"flow.yaml, {message}"


@pytest.mark.parametrize(
    ("text", "found"),
    [("", "nothing in it"), ("- a list", "text without keys"), ("word", "text without keys")],
)
def test_a_file_without_keys_is_told_where_to_find_an_example(text: str, found: str) -> None:
    assert refusal(text) == (
        f"flow.yaml: found {found}, expected keys such as data, periods and strategies; "
        "`workspace-kit init` writes an example to start from"
    )


def test_the_nearest_bars_a_regime_needs_follow_the_calendar() -> None:
    def needed(periods_per_year: float, bars: str = "auto") -> int:
        text = TEXT.replace("12}", f"{periods_per_year}}}") + f"regimes: {{minimum: {{bars: {bars}}}}}"
        return parse_config(text, where="flow.yaml").minimum_bars

    assert [needed(each) for each in (1, 12, 12.5, 52, 53, 252)] == [12, 12, 26, 26, 60, 60]
    assert needed(252, "7") == 7
