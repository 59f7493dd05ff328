"""How every stage meets its user: arguments in, a clear error or nothing out."""

import dataclasses
import difflib
import inspect
import io
import itertools
import os
import re
import shlex
import sys
import time
import typing
from collections.abc import Callable, Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from tfrespam.errors import UserError
from tfrespam.faults import outside_fault

# no markup: paths with brackets or colons are shown as they are
console = Console(stderr=False, highlight=False, soft_wrap=True, markup=False, emoji=False)


_OPTIONAL = re.compile(  # what jsonargparse says of a wrong value for an option that may be left out
    r"\n  Does not validate against any of the Union subtypes\n  Subtypes: .*\n  Errors:\n    - (.*)"
    r"\n    - Expected a NoneType\n  Given value type: .*\n  Given value: (.*)")


def run(stage: Callable, args: Sequence[str] | None = None, signature: Callable | None = None,
        defaults: dict[str, Any] | None = None) -> None:  # fmt: skip
    """Runs `stage`, a function whose typed arguments and docstring are its command line, and exits the process.

    Every argument is an option (`--output DIR`), but for `*inputs`, which takes what the command line names without
    one. `signature` is a class or function whose arguments make the command line, where they are not the stage's own;
    `defaults` are dotted names and values that hold unless a --config file is named.

    Exit status: 0 done, 2 bad input, a full disk and the like (one message, no traceback), 130 interrupted.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names of files may hold what the terminal cannot show
    try:
        inputs, options = parse(signature or stage, args, inspect.getdoc(stage), defaults)
        stage(*inputs, **options)
    except UserError as error:
        fail(error)
    except KeyboardInterrupt:
        print("interrupted: what was finished is kept; run the same command again to go on", file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        told = outside_fault(error)
        if told is None:
            raise
        fail(UserError(told))


def parse(stage: Callable, args: Sequence[str] | None = None, description: str | None = None,
          defaults: dict[str, Any] | None = None) -> tuple[list[str], dict[str, Any]]:  # fmt: skip
    """The positional and the named arguments with which a command line calls `stage`. Raises UserError."""
    from jsonargparse import ArgumentError, ArgumentParser, Namespace

    args = _switches(stage, sys.argv[1:] if args is None else list(args))
    summary = (description or inspect.getdoc(stage)).partition("\n\nArgs:")[0]
    parser = ArgumentParser(description=summary, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", action="config", help="YAML file with values for the options below.")
    parameters = inspect.signature(stage).parameters
    several = [name for name, known in parameters.items() if known.kind is known.VAR_POSITIONAL]
    for name in several:
        parser.add_argument(name, nargs="+", metavar=name.removesuffix("s").upper(), help="One or more.")
    add = parser.add_class_arguments if inspect.isclass(stage) else parser.add_function_arguments
    add(stage, as_positional=False)
    for action in parser._actions:
        if getattr(action, "_typehint", None) is bool:
            action.nargs, action.const = "?", True  # --switch is --switch true
    if defaults and not any(arg.partition("=")[0] == "--config" for arg in args):
        parser.set_defaults(defaults)
    try:
        parsed = parser.parse_args(_joined(args, stage))
        for name, parameter in parameters.items():
            if dataclasses.is_dataclass(parameter.annotation) and not isinstance(parsed[name], Namespace):
                raise UserError(f"{name} must hold options of its own. Received: {parsed[name]!r}")
        _refuse_empty(parsed, {name: known.annotation for name, known in parameters.items() if name not in several})
        options = parser.instantiate(parsed)
    except UnicodeDecodeError as error:
        raise UserError(f"the --config file must be text in UTF-8 ({error})") from None
    except ArgumentError as error:
        known = [name for action in parser._actions for name in action.option_strings]
        raise UserError(_readable(str(error), known)) from None
    names = set(parameters) - set(several)
    return [value for name in several for value in options[name]], {name: options[name] for name in names}


def _readable(message: str, known: Sequence[str]) -> str:
    """jsonargparse's message in our words, with the option that an unknown one looks like."""
    message = re.sub(r"<class '(\w+)'>", r"\1", message.replace("Parser key", "option"))
    message = _OPTIONAL.sub(_without_none, message)
    message = re.sub(r"a typing\.Literal\[(.*?)\]", r"one of \1", message)
    unknown = re.findall(r"(?:unrecognized arguments: --|Option ')([\w.]+)", message)
    near = difflib.get_close_matches(f"--{unknown[0]}", known, n=1) if unknown else []
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"{message}.{meant} --help lists all options"


def _without_none(found: re.Match) -> str:
    """What an option that may be left out expects, without jsonargparse's account of None."""
    expected, value = found.groups()
    return f" {expected.partition('. Got')[0]}. Got value: {value}"


def _joined(args: list[str], stage: Callable) -> list[str]:
    """`--box 1 2 3 4` as `--box=[1,2,3,4]`, as jsonargparse reads it; of a list or tuple of any length, all words."""
    lengths = {f"--{name}": _length(parameter) for name, parameter in inspect.signature(stage).parameters.items()}
    joined, words = [], list(args)
    while words:
        word = words.pop(0)
        values = list(itertools.takewhile(lambda each: not each.startswith("--"), words))[: lengths.get(word, 0)]
        if values and not values[0].startswith(("[", "(")):
            word, words = f"{word}=[{','.join(values)}]", words[len(values) :]
        joined.append(word)
    return joined


def _length(parameter: inspect.Parameter) -> int:
    """Of the tuple or list that the parameter takes, the longest if any will do; 0 when it takes another type."""
    types = (parameter.annotation, *typing.get_args(parameter.annotation))
    if any(typing.get_origin(each) is list for each in types):
        return sys.maxsize
    parts = next((typing.get_args(each) for each in types if typing.get_origin(each) is tuple), ())
    return sys.maxsize if Ellipsis in parts else len(parts)


def _refuse_empty(values: Any, types: dict[str, Any], prefix: str = "") -> None:
    """A key without a value, in a YAML file, is None; raises UserError where the type does not allow that."""
    for name, annotation in types.items():
        value = values[name]
        if value is None and annotation is not None and type(None) not in typing.get_args(annotation):
            raise UserError(f"--{prefix}{name} has no value. Give it one, or take the line out for the default")
        if dataclasses.is_dataclass(annotation) and value is not None:
            fields = {field.name: field.type for field in dataclasses.fields(annotation)}
            _refuse_empty(value, fields, f"{prefix}{name}.")


def _switches(stage: Callable, args: list[str]) -> list[str]:
    """`--name` of a yes-or-no option without a value means yes; jsonargparse wants one."""
    names = {f"--{name}" for name, known in inspect.signature(stage).parameters.items() if known.annotation is bool}
    values = {"true", "false", "yes", "no"}
    return [f"{arg}=true" if arg in names and after.lower() not in values else arg
            for arg, after in zip(args, [*args[1:], ""], strict=False)]  # fmt: skip


def quoted(path: str | os.PathLike) -> str:
    """`path` as a shell takes it for one word."""
    return shlex.quote(os.fspath(path))


def check_threshold(threshold: float | None) -> None:
    """Raises UserError unless --threshold can tell pixels apart; None leaves it to the model."""
    if threshold is not None and not 0 < threshold < 1:
        raise UserError(f"--threshold must be a probability between 0 and 1. Received: {threshold}")


def fail(error: UserError) -> None:
    """Prints a UserError the one way all stages do, and exits with status 2."""
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)


class Bar(Progress):
    """A progress bar that draws itself five times a second at most, when work advances.

    rich's own redraws come from a thread, whose late imports clash with TFDS, which replaces `__import__` for a while.

    Args:
        description: What is being done.
        total: How many pieces of it there are.
    """

    def __init__(self, description: str, total: int | None = None):
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
                   TextColumn("{task.fields[rate]}"), TimeElapsedColumn(), TimeRemainingColumn())  # fmt: skip
        super().__init__(*columns, console=console, auto_refresh=False)
        self._task = self.add_task(description, total=total, rate="")
        self._drawn = 0.0

    def step(self, pieces: int = 1, description: str | None = None) -> None:
        """Counts `pieces` as done."""
        state = self.tasks[0]
        done = state.completed + pieces
        rate = f"{done / state.elapsed:.1f}/s" if state.elapsed else ""
        self.update(self._task, advance=pieces, rate=rate, description=description or state.description)
        if time.monotonic() - self._drawn > 0.2:
            self._drawn = time.monotonic()
            self.refresh()


def progress(description: str, total: int | None = None) -> tuple[Bar, Callable[[], None]]:
    """A progress bar with rate and time left, and the function that moves it on by one."""
    bar = Bar(description, total)
    return bar, bar.step
