"""How a path becomes something that DuckDB, to whom every file name is a pattern, takes for itself."""

import re

from workspace_kit.errors import NameInvalid


def as_pattern(path: str) -> str:
    """Return the pattern that matches this path alone: brackets around one character mean that character.

    Raises
    ------
    NameInvalid
        The path is not UTF-8, or holds a backslash beside one of ``[ * ?``: in a pattern DuckDB takes a
        backslash for a separator, whatever stands around it.
    """
    is_pattern = re.search(r"[\[*?]", path)
    if re.search(r"[\ud800-\udfff]", path) or (is_pattern and "\\" in path):
        raise NameInvalid(
            ascii(path),
            found="bytes that are no UTF-8, or a backslash beside one of [ * ?",
            expected="a path that DuckDB can be told",
            remedy="move the results to another folder",
        )
    return re.sub(r"[\[*?]", r"[\g<0>]", path)
