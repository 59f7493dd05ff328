"""Import user code by its path `package.module:Name` or its entry point; only what the user wrote is imported."""

import importlib
import importlib.metadata
import sys
from collections.abc import Callable
from typing import Any

from tfrespam.core.errors import UserError


def is_path(name: str) -> bool:
    """Check whether `name` is an import path, not the name of a built-in part."""
    return ":" in name


def find(name: str, group: str, what: str) -> Callable[..., Any] | None:
    """Import the class or function `name`: an import path, or an entry point of an installed package.

    Args:
        name: `package.module:Name`, or the name of an entry point.
        group: Group of entry points, such as "tfrespam.models".
        what: The setting that holds `name`, for messages.

    Returns:
        The class or function; None if `name` is no entry point.

    Raises:
        UserError: The import fails, or gives no callable.
    """
    if is_path(name):
        return load(name, what)
    for entry in importlib.metadata.entry_points(group=group, name=name):
        return load(entry.value, f"{what} {name!r} (an entry point of the group {group})")
    return None


def load(path: str, what: str) -> Callable[..., Any]:
    """Import the class or function at `path`, written `package.module:Name`.

    The working folder is searched as well, as `python -m` does.

    Args:
        path: Module and attribute; the attribute must be callable.
        what: The setting that holds the path, such as "`model.name`", for messages.

    Raises:
        UserError: The module cannot be imported, or lacks the name.
    """
    module, _, name = path.partition(":")
    if "" not in sys.path:
        sys.path.append("")
    try:
        part: Any = importlib.import_module(module)
    except Exception as error:  # a user's module may raise anything at its import
        raise UserError(f"{what} names {path}, but module {module!r} cannot be imported: {type(error).__name__}: "
                        f"{error}. Expected package.module:Name, installed or in the working folder") from error
    for attribute in name.split("."):
        part = getattr(part, attribute, None)
    if not callable(part):
        raise UserError(f"{what} must name a class or function. Received: {path}, and module {module!r} "
                        f"has no callable {name!r}")  # fmt: skip
    return part


def call(path: str, what: str, **arguments: Any) -> Any:
    """Import the class or function at `path` (see `load`) and call it. Raises UserError if the arguments do not fit."""
    part = load(path, what)
    try:
        return part(**arguments)
    except (TypeError, ValueError) as error:
        raise UserError(f"{what}: {path} cannot be called with {arguments or 'no arguments'}: {error}") from error
