"""How every stage meets its user: arguments in, a clear error or nothing out."""

import inspect
import sys
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tfrespam.errors import UserError

console = Console(stderr=False, highlight=False, soft_wrap=True)


def run(stage: Callable, args: Sequence[str] | None = None) -> None:
    """Runs `stage`, a function whose typed arguments and docstring are its command line, and exits the process.

    Every argument is an option (`--output DIR`), but for `*inputs`, which takes what the command line names without
    one. Exit status: 0 done, 2 bad input (one message, no traceback), 130 interrupted.
    """
    try:
        inputs, options = parse(stage, args)
        stage(*inputs, **options)
    except UserError as error:
        fail(error)
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept; run the same command again to go on", file=sys.stderr)
        sys.exit(130)


def parse(stage: Callable, args: Sequence[str] | None = None) -> tuple[list[str], dict[str, Any]]:
    """The positional and the named arguments with which a command line calls `stage`."""
    from jsonargparse import ArgumentParser

    parser = ArgumentParser(description=inspect.getdoc(stage).partition("\n")[0])
    parser.add_argument("--config", action="config", help="YAML file with values for the options below.")
    several = [p.name for p in inspect.signature(stage).parameters.values() if p.kind is p.VAR_POSITIONAL]
    for name in several:
        parser.add_argument(name, nargs="+", metavar=name.removesuffix("s").upper(), help="One or more.")
    parser.add_function_arguments(stage, as_positional=False)
    options = parser.instantiate(parser.parse_args(args))
    names = set(inspect.signature(stage).parameters) - set(several)
    return [value for name in several for value in options[name]], {name: options[name] for name in names}


def fail(error: UserError) -> None:
    """Prints a UserError the one way all stages do, and exits with status 2."""
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)


def progress(description: str, total: int | None = None) -> tuple[Progress, Callable[[], None]]:
    """A progress bar with rate and time left, and the function that moves it on by one."""
    bar = Progress(TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TimeRemainingColumn(), console=console)
    task = bar.add_task(description, total=total, rate="")

    def advance() -> None:
        state = bar.tasks[0]
        done = state.completed + 1
        bar.update(task, advance=1, rate=f"{done / state.elapsed:.1f}/s" if state.elapsed else "")

    return bar, advance
