"""Where prices come from: a file's bytes or a packaged sample, as a frame of any shape.

Bytes are read before they are parsed: a parser that maps a file into memory dies with it when another
program shortens it meanwhile.
"""

import codecs
import difflib
import io
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl
from polars.exceptions import DuplicateError, NoDataError, PolarsError

from workspace_kit.errors import ConfigError, FileDamaged, NotFound, PriceError
from workspace_kit.prices.samples import SAMPLES

SAMPLE_PREFIX = "sample:"


class Source(NamedTuple):
    """A frame as it was found, where that was, and what a reader should know about it."""

    raw: pl.DataFrame
    where: str
    about: str


def fetch(prices: str, *, folder: Path) -> Source:
    """Return what `config.Data.prices` names; a relative path starts at the folder.

    Raises
    ------
    ConfigError
        An unknown sample, a sample whose package is not installed, or an unknown file type.
    NotFound
        There is no such file.
    FileDamaged
        It is not a regular file, or does not hold what its ending says.
    PriceError
        It is empty.
    """
    if prices.startswith(SAMPLE_PREFIX):
        return _sample(prices.removeprefix(SAMPLE_PREFIX))
    parse = _parser(prices)
    content = _content(folder / prices, where=prices)
    try:
        return Source(parse(content), prices, prices)
    except NoDataError as error:
        raise empty(prices) from error
    except PolarsError as error:
        raise FileDamaged(
            prices,
            found=str(error).splitlines()[0],
            expected=f"a {Path(prices).suffix[1:].upper()} file",
            remedy="write the file again",
        ) from error


def empty(where: str) -> PriceError:
    """Return the error for prices without a single one."""
    return PriceError(where, found="no price", expected="at least one", remedy="check the path and the file")


def _sample(name: str) -> Source:
    if name not in SAMPLES:
        near = difflib.get_close_matches(name, SAMPLES, n=1)
        raise ConfigError(
            "key data.prices",
            found=f"an unknown sample {name!r}",
            expected=f"one of {', '.join(SAMPLES)}",
            remedy=f"did you mean {SAMPLE_PREFIX}{near[0]}?" if near else "correct it",
        )
    where = f"{SAMPLE_PREFIX}{name}"
    sample = SAMPLES[name]
    return Source(sample.read(), where, f"{where}: {sample.about}")


def _content(path: Path, *, where: str) -> bytes:
    if not path.exists():
        raise NotFound(where, found="no such file", expected="prices", remedy="correct data.prices")
    try:
        if path.is_file():
            return path.read_bytes()
    except OSError as error:
        raise FileDamaged(
            where,
            found=error.strerror or str(error),
            expected="a readable file",
            remedy="check its permissions",
        ) from error
    raise FileDamaged(
        where, found="a folder or device", expected="a regular file", remedy="name a file in data.prices"
    )


def _csv(content: bytes) -> pl.DataFrame:
    """Every value as text: what it means is decided once, for all formats."""
    raw = pl.read_csv(content, infer_schema=False, comment_prefix="#")
    names = [re.sub(r"_duplicated_\d+$", "", name).strip() for name in raw.columns]
    if doubled := sorted({name for name in names if names.count(name) > 1}):
        raise DuplicateError(f"the column {doubled[0]!r} twice")
    return raw.select(pl.all().str.strip_chars().replace("", None).name.map(str.strip))


def _parquet(content: bytes) -> pl.DataFrame:
    return pl.read_parquet(io.BytesIO(content))


def _jsonl(content: bytes) -> pl.DataFrame:
    lines = content.removeprefix(codecs.BOM_UTF8)
    if not lines.strip():
        raise NoDataError
    return pl.read_ndjson(lines, infer_schema_length=None)


_PARSERS: Mapping[str, Callable[[bytes], pl.DataFrame]] = {
    ".csv": _csv,
    ".parquet": _parquet,
    ".jsonl": _jsonl,
}


def _parser(prices: str) -> Callable[[bytes], pl.DataFrame]:
    suffix = Path(prices).suffix.lower()
    if suffix not in _PARSERS:
        raise ConfigError(
            "key data.prices",
            found=f"a file {prices!r}",
            expected=f"an ending {', '.join(_PARSERS)}, or one of "
            f"{', '.join(SAMPLE_PREFIX + name for name in SAMPLES)}",
            remedy="convert or rename the file",
        )
    return _PARSERS[suffix]
