"""Functions that a configuration names: built in, or ``package.module:function`` of the user's own."""

import difflib
import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from workspace_kit.errors import ConfigError


def find_function(
    name: str, *, folder: Path, built_in: Mapping[str, Callable[..., Any]], where: str
) -> Callable[..., Any]:
    """Return the function of that name; a user's is looked for in the configuration's folder too.

    Raises
    ------
    ConfigError
        Neither built in nor importable.
    """
    if name in built_in:
        return built_in[name]
    module, colon, attribute = name.partition(":")
    if not colon:
        raise ConfigError(
            where,
            found=repr(name),
            expected=f"one of {', '.join(built_in)}, or package.module:function",
            remedy=_nearest(name, built_in),
        )
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    try:
        held = importlib.import_module(module)
    except Exception as error:  # a user's module may raise anything while it is imported
        raise ConfigError(
            where,
            found=f"{name!r}, which cannot be imported: {type(error).__name__}: {error}",
            expected=f"a function {attribute!r} in module {module!r}",
            remedy=f"write {module.removesuffix('.py')}:{attribute}"
            if module.endswith(".py")
            else f"put the module into {folder} or install it",
        ) from error
    function = getattr(held, attribute, None)
    if not callable(function):
        raise ConfigError(
            where,
            found=f"{name!r}, which is no function",
            expected=f"a function of module {module!r}",
            remedy=_nearest(attribute, vars(held)),
        )
    return function  # type: ignore[no-any-return]


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else "correct the name"
