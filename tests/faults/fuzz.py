"""R14: every parser is fed damaged, hostile and senseless bytes: only typed errors come out."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import pyarrow as pa
from harness import scratch, spread, victim
from scenarios import _checkpoint, filled, make, signal

from workspace_kit.errors import WorkspaceKitError
from workspace_kit.flows.lifecycle import archive_workspace
from workspace_kit.layout import names
from workspace_kit.layout.archive import verify_archive
from workspace_kit.layout.chain import read_chain
from workspace_kit.layout.documents import read_document
from workspace_kit.layout.lines import salvage
from workspace_kit.layout.names import Workspace, classify, trial_id
from workspace_kit.layout.reader import log_of, zone_of
from workspace_kit.layout.signals import read_signals
from workspace_kit.layout.zones import UTC
from workspace_kit.mirror.manifest import MANIFEST, load
from workspace_kit.plain_yaml import load_yaml
from workspace_kit.prices import load_prices
from workspace_kit.workflow_file import example_text, parse_config

JUNK = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\r\n", b"NaN", b"Infinity", b"1e999", b"-", b"[" * 3000, b'{"a":' * 3000,
    b'"', b"\\ud800", b"\\u0000", b"9" * 40, b"{}", b"null", b"true", b"&a [*a]", b"!!python/object:os.system",
    b"<<: *x", b"\xe2\x80\xae", b"../../etc/passwd", b",", b":", b"\n", b"2020-02-30", b"16:00", b"NO",
)  # fmt: skip
SLOWEST_SECONDS = 5.0


def damaged(data: bytes, pick: random.Random) -> bytes:
    """A few bytes flipped, cut, doubled, or replaced by what breaks parsers."""
    changed = bytearray(data)
    for _ in range(pick.randint(1, 4)):
        place = pick.randrange(len(changed) + 1)
        match pick.randrange(5):
            case 0:
                changed[place:place] = pick.choice(JUNK)
            case 1:
                changed[place : place + len(part)] = (part := pick.choice(JUNK))
            case 2:
                del changed[place : place + pick.randint(1, 40)]
            case 3 if changed:
                changed[place % len(changed)] ^= 1 << pick.randrange(8)
            case _:
                changed[place:place] = changed[place : place + pick.randint(1, 200)]
    return bytes(changed)


def parsers(folder: Path) -> dict[str, tuple[bytes, Callable[[bytes], object]]]:
    """Each parser with a healthy input."""
    root = folder / "results"
    held = filled(root, False)
    _checkpoint(root, False)
    other = make(root, False, "other")
    prices = folder / "prices.csv"
    archived = archive_workspace(filled(root, False, "gone").path)
    checkpoint = held.file(names.CHECKPOINT, "phase_1_complete")
    mirror = folder / "mirror"
    mirror.mkdir()

    told = msgspec.structs.replace(
        parse_config(example_text(), where="example").data, prices=prices.name, benchmark=None, symbols="all"
    )

    def through(path: Path, call: Callable[[], object]) -> Callable[[bytes], object]:
        def parse(data: bytes) -> object:
            path.write_bytes(data)
            return call()

        return parse

    def document(kind: names.FileKind, key: str) -> Callable[[bytes], object]:
        return lambda data: read_document(
            data, kind=kind.name, key=key, workspace="w", path="p", zone=UTC, beside={}
        )

    lines = b"".join(json.dumps(signal(number)).encode() + b"\n" for number in range(5))
    trial = {
        "trial_id": "trial_0",
        "parameters": {"a": 1},
        "metrics": {"sharpe_ratio": 1.0},
        "period": {"start": "2020-01-01", "end": "2020-12-31"},
        "metrics_by_period": {"select": {"sharpe_ratio": 1.0, "trades": 3}},
        "metrics_by_regime": {"bull_market": {"sharpe_ratio": 1.0, "bars": 3}},
    }
    regimes = {"bull_market": {"lookback": 3, "performance": 1.0, "trial_id": "trial_0"}}
    weights = {"weights": {"a": 0.5, "b": 0.5}, "members": {"a": {"strategy": "m"}}}
    table = b"timestamp,symbol,close\n2020-01-01,A,1.0\n2020-01-02,A,1.5\n"
    matrix = b",trial_0,trial_1\ntrial_0,1.0,0.5\ntrial_1,0.5,1.0\n"
    config = example_text().encode()
    return {
        "signals": (
            lines,
            lambda data: (read_signals(data, workspace="w", trial_id="trial_0", path="p", zone=UTC), salvage(data)),
        ),
        "trial": (json.dumps(trial).encode(), document(names.TRIAL, "trial_0")),
        "validation": (
            json.dumps({"period": {}, "candidates": {"a": {"metrics": {}}}}).encode(),
            document(names.VALIDATION, "validation_results"),
        ),
        "regime_params": (json.dumps(regimes).encode(), document(names.ANALYSIS, "regime_optimal_params")),
        "weights": (json.dumps(weights).encode(), document(names.ANALYSIS, "ensemble_weights")),
        "correlations": (matrix, document(names.ANALYSIS_TABLE, "correlation_matrix")),
        "regimes": (b"timestamp,regime,basis\n2020-01-01,bull,causal\n", document(names.ANALYSIS_TABLE, "regimes")),
        "returns": (b"timestamp,ensemble\n2020-01-01T00:00:00Z,0.1\n", document(names.ANALYSIS_TABLE, "returns")),
        "yaml": (config, lambda data: load_yaml(data.decode("utf-8", "replace"), where="fuzz")),
        "config": (config, lambda data: parse_config(data.decode("utf-8", "replace"), where="fuzz")),
        "zone": (b"data: {timezone: UTC}\n", through(other.file(names.CONFIG, "config"), lambda: zone_of(other.path))),
        "log": (b"[]\n", through(other.file(names.METADATA, "execution_log"), lambda: log_of(other))),
        "checkpoint": (checkpoint.read_bytes(), through(checkpoint, lambda: read_chain(held))),
        "archive": (archived.read_bytes(), through(archived, lambda: verify_archive(archived))),
        "tar": (unpacked(archived), through(archived, lambda: verify_archive(archived))),
        "prices": (table, through(prices, lambda: load_prices(told, folder=folder))),
        "mirror": (b'{"content": {}, "digest": ""}', through(mirror / MANIFEST, lambda: load(mirror))),
        "names": (b"trial_1.jsonl", lambda data: (classify("signals", data.decode("latin-1")), trial_id(data.decode("latin-1")), Workspace(root, data.decode("latin-1")))),
    }  # fmt: skip


def unpacked(archive: Path) -> bytes:
    with pa.OSFile(str(archive)) as file, pa.CompressedInputStream(file, "zstd") as stream:
        return stream.read()


def packed(data: bytes) -> bytes:
    return pa.compress(data, codec="zstd", asbytes=True)


def feed(case: tuple[int, int]) -> dict[str, int]:
    seed, rounds = case

    def feed_all(folder: Path) -> dict[str, int]:
        pick = random.Random(seed)  # noqa: S311 - a test's seed
        told = {}
        for name, (healthy, parse) in parsers(folder).items():
            parse(packed(healthy) if name == "tar" else healthy)
            refused = 0
            for number in range(rounds):
                data = damaged(healthy, pick)
                begun = time.process_time()
                try:
                    parse(packed(data) if name == "tar" else data)
                except WorkspaceKitError:
                    refused += 1
                except Exception as error:
                    fed = f"{name}, seed {seed}, round {number}, {data[:200]!r}"
                    raise AssertionError(f"{fed}: {error!r}") from error
                assert time.process_time() - begun < SLOWEST_SECONDS, (name, seed, number)
            told[name] = refused
        return told

    with scratch() as folder:
        return victim(lambda: feed_all(folder)).answer


def r14(*, full: bool) -> str:
    rounds, seeds = (250, 4) if full else (20, 2)
    told = spread(feed, [(seed, rounds) for seed in range(seeds)])
    return (
        f"R14: {len(told[0])} parsers, {rounds * seeds * len(told[0])} inputs, "
        f"{sum(sum(each.values()) for each in told)} refused with a typed error, the rest read or reported"
    )
