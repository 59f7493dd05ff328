"""Read YAML files from untrusted sources: reject alias bombs ("billion laughs") and deep nesting before loading.

`&a [*b, *b, ...]` on ten levels expands to a billion values, and deep nesting overflows Python's stack. Both are
detected in the stream of parser events, before any object is built.
"""

import os
from pathlib import Path
from typing import Any

from tfrespam.core.errors import UserError

MOST_BYTES = 1 << 20
MOST_VALUES = 20_000  # with every alias expanded
DEEPEST = 50


def load(path: str | os.PathLike) -> Any:
    """Load a YAML file with PyYAML's safe loader. Raises YAMLError, OSError, and UserError as `check` does."""
    import yaml

    check(path)
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def check(path: str | os.PathLike) -> None:
    """Raise UserError for a file that is too large, nested too deeply, or too large once its aliases are expanded.

    A missing file, or one that is not YAML, passes: the code that loads it reports the error.
    """
    import yaml

    try:
        size = os.stat(path).st_size
        text = Path(path).read_text(encoding="utf-8") if size <= MOST_BYTES else ""
    except (OSError, UnicodeDecodeError):
        return
    if size > MOST_BYTES:
        raise UserError(f"{path} has {size} bytes. Expected a YAML file of settings with at most {MOST_BYTES} bytes")
    try:
        _count(yaml.parse(text, Loader=yaml.SafeLoader), path)
    except yaml.YAMLError:
        return


def _count(events, path: str | os.PathLike) -> None:
    """Count values from the parser's events; an alias counts as all values of its anchor."""
    import yaml

    anchored: dict[str, int] = {}
    open_parts: list[tuple[str | None, int]] = []  # (anchor, count at its start) of each list or mapping still open
    count = 0
    for event in events:
        if isinstance(event, yaml.AliasEvent):
            count += anchored.get(event.anchor, MOST_VALUES)  # an anchor still open contains itself: endless
        elif isinstance(event, yaml.ScalarEvent):
            count += 1
            _note(anchored, event.anchor, 1)
        elif isinstance(event, yaml.CollectionStartEvent):
            open_parts.append((event.anchor, count))
            count += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_parts.pop()
            _note(anchored, anchor, count - before)
        if count > MOST_VALUES or len(open_parts) > DEEPEST:
            raise UserError(f"{path} holds more than {MOST_VALUES} values once its aliases are expanded, or more "
                            f"than {DEEPEST} levels. Expected plain settings")  # fmt: skip


def _note(anchored: dict[str, int], anchor: str | None, held: int) -> None:
    if anchor:
        anchored[anchor] = held
