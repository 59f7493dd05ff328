"""Counts of structural problems of the package, each with an upper bound that may only decrease.

    python tests/test_house.py    # prints the numbers
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = sorted((ROOT / "tfrespam").rglob("*.py"))
MODULES = [path for path in PACKAGE if path.name != "__init__.py"]


def long_files() -> list[str]:
    return [path.name for path in PACKAGE if len(path.read_text(encoding="utf-8").splitlines()) > 300]


def circles() -> list[tuple[str, ...]]:
    """Return pairs of modules that import each other at import time, directly or through other modules."""
    graph = grimp.build_graph("tfrespam", cache_dir=None)
    for path in PACKAGE:
        for module in _late_only(path):
            graph.remove_import(importer=_name(path), imported=module)
    found = {tuple(sorted((first, second))) for first in graph.modules
             for second in graph.find_modules_directly_imported_by(first)
             if graph.chain_exists(importer=second, imported=first)}  # fmt: skip
    return sorted(found)


def late_imports() -> list[str]:
    """Return the positions of imports of the package's own modules inside functions.

    Command lines, which must show --help at once, and `__init__.py` files, which import what is asked for, are left
    out.
    """
    lazy = {path for path in PACKAGE if path.name == "__init__.py" or _is_command(path)}
    return [f"{path.relative_to(ROOT)}:{node.lineno}" for path in PACKAGE if path not in lazy for node in _late(path)]


def untested_modules() -> list[str]:
    tests = {path.name for path in (ROOT / "tests").rglob("test_*.py")}
    return [str(path.relative_to(ROOT)) for path in MODULES if f"test_{path.name}" not in tests]


def names_used_twice() -> list[str]:
    return [name for name, count in Counter(path.name for path in MODULES).items() if count > 1]


CHECKS = {  # name -> (what is counted, bound)
    "files over 300 lines": (long_files, 0),
    "import circles": (circles, 0),
    "imports of own modules inside functions": (late_imports, 23),
    "modules without a test file of their name": (untested_modules, 1),
    "file names used twice": (names_used_twice, 0),
}


@pytest.mark.parametrize("name", CHECKS)
def test_counts_stay_within_their_bounds(name):
    count, bound = CHECKS[name]
    found = count()
    assert len(found) <= bound, found


def _is_command(path: Path) -> bool:
    return path.parent == ROOT / "tfrespam" and 'if __name__ == "__main__":' in path.read_text(encoding="utf-8")


def _late(path: Path) -> Iterator[ast.ImportFrom]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {id(node): node for function in ast.walk(tree) if isinstance(function, ast.FunctionDef)
              for node in ast.walk(function)}  # fmt: skip
    return (node for node in inside.values()
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tfrespam"))  # fmt: skip


def _late_only(path: Path) -> set[str]:
    """Return the modules that `path` imports inside functions and not at its top."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    top = {module for node in tree.body if isinstance(node, ast.ImportFrom) for module in _imported(node)}
    return {module for node in _late(path) for module in _imported(node)} - top


def _imported(node: ast.ImportFrom) -> Iterator[str]:
    known = {_name(path) for path in PACKAGE}
    for alias in node.names:
        whole = f"{node.module}.{alias.name}"
        yield whole if whole in known else node.module


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


if __name__ == "__main__":
    for name, (count, bound) in CHECKS.items():
        print(f"{len(count()):4}  {name} (bound {bound})")
