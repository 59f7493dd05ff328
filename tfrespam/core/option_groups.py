"""Sort the options of a command line under short headings in its `--help`."""

from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

Groups = Mapping[str, Sequence[str]]  # heading -> names of options, or patterns such as "training.side_*"


def arrange(parser: ArgumentParser, summaries: Sequence[str], groups: Groups, program: str | None) -> None:
    """Give the parser's help one usage line, and its options the headings of `groups`.

    Args:
        parser: Parser to which all options have been added.
        summaries: First sentences of the stage and of its arguments' class. The group that jsonargparse names after one
            of them becomes "Options".
        groups: Options of each heading; the first match counts, and options without a match stay where they are.
        program: Path of the program; a file of this package becomes `python -m tfrespam.<stage>`.
    """
    repeated = {summary.rstrip(".") for summary in summaries}
    for group in parser._action_groups:
        if (group.title or "").rstrip(":.") in repeated:
            group.title = "Options"
        elif group.title == "options":
            group.title = "Help and settings files"
    before = list(parser._action_groups)
    for heading, patterns in groups.items():
        _gather(before, parser.add_argument_group(heading), patterns)
    parser._action_groups.sort(key=lambda group: group.title == "Help and settings files")  # to the end
    parser.usage = _usage(parser, program)


def _gather(groups: list, target: Any, patterns: Sequence[str]) -> None:
    """Move the options of `groups` that match to `target`, in the order in which they are."""
    for group in groups:
        moved = [action for action in group._group_actions
                 if any(fnmatchcase(action.dest, pattern) for pattern in patterns)]  # fmt: skip
        group._group_actions[:] = [action for action in group._group_actions if action not in moved]
        target._group_actions.extend(moved)


def _usage(parser: ArgumentParser, program: str | None) -> str:
    """Return the usage line: program, positional arguments, required options and "[options]"."""
    path = Path(program or "")
    name = f"python -m tfrespam.{path.stem}" if path.parent == Path(__file__).parents[1] else path.name or parser.prog
    required = getattr(parser, "required_args", ())  # jsonargparse's own record
    inputs = [f"{action.metavar} [{action.metavar} ...]" for action in parser._actions if not action.option_strings]
    needed = [f"{action.option_strings[0]} {action.dest.upper()}" for action in parser._actions
              if action.option_strings and (action.required or action.dest in required)]  # fmt: skip
    return " ".join([name, *inputs, *needed, "[options]"])
