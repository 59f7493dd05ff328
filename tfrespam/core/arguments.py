"""Parse typed arguments of a function or class from a command line and a YAML file, with jsonargparse."""

import dataclasses
import difflib
import inspect
import itertools
import re
import sys
import types
import typing
from collections.abc import Callable, Sequence
from typing import Any

from tfrespam.core import yaml_files
from tfrespam.core.errors import UserError
from tfrespam.core.option_groups import Groups, arrange

_OPTIONAL = re.compile(  # jsonargparse's message about a wrong value of an option that may be None
    r"\n  Does not validate against any of the Union subtypes\n  Subtypes: .*\n  Errors:\n    - (.*)"
    r"\n    - Expected a NoneType\n  Given value type: .*\n  Given value: (.*)")


def parse(stage: Callable, args: Sequence[str] | None = None, description: str | None = None,
          defaults: dict[str, Any] | None = None,
          groups: Groups | None = None) -> tuple[list[str], dict[str, Any]]:  # fmt: skip
    """Return the positional and the named arguments with which a command line calls `stage`. Raises UserError.

    `groups` are headings for its help, each with the names of its options.
    """
    from jsonargparse import ArgumentError, ArgumentParser, Namespace

    args = _files_first(stage, _switches(stage, sys.argv[1:] if args is None else list(args)))
    summary = (description or inspect.getdoc(stage)).partition("\n\nArgs:")[0]
    parser = ArgumentParser(description=summary, allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", action="config", help="YAML file with values for the options below.")
    parameters = inspect.signature(stage).parameters
    several = [name for name, known in parameters.items() if known.kind is known.VAR_POSITIONAL]
    for name in several:
        parser.add_argument(name, nargs="+", metavar=name.removesuffix("s").upper(), help=_described(stage, name))
    add = parser.add_class_arguments if inspect.isclass(stage) else parser.add_function_arguments
    add(_unplaced(stage), as_positional=False)
    first_lines = [text.partition("\n")[0] for text in (summary, inspect.getdoc(stage) or "")]
    arrange(parser, first_lines, groups or {}, sys.argv[0])
    for action in parser._actions:
        if getattr(action, "_typehint", None) is bool:
            action.nargs, action.const = "?", True  # --switch is --switch true
    if defaults and not any(arg.partition("=")[0] == "--config" for arg in args):
        parser.set_defaults(defaults)
    for file in _config_files(args):
        yaml_files.check(file)
    parser.set_defaults(_recorded_defaults(stage, args))
    try:
        parsed = parser.parse_args(_joined(args, stage))
        for name, parameter in parameters.items():
            if dataclasses.is_dataclass(parameter.annotation) and not isinstance(parsed[name], Namespace):
                raise UserError(f"{name} must hold nested options. Received: {parsed[name]!r}")
        _refuse_empty(parsed, {name: known.annotation for name, known in parameters.items() if name not in several})
        options = parser.instantiate(parsed)
    except UnicodeDecodeError as error:
        raise UserError(f"the --config file must be text in UTF-8 ({error})") from None
    except ArgumentError as error:
        known = [name for action in parser._actions for name in action.option_strings]
        raise UserError(_readable(str(error), known)) from None
    names = set(parameters) - set(several)
    return [value for name in several for value in options[name]], {name: options[name] for name in names}


def _described(stage: Callable, name: str) -> str:
    """Return the description of an argument from the docstring of `stage`."""
    found = re.search(rf"^    {name}: (.*?)(?=^    \w+: |\Z)", inspect.getdoc(stage) or "", re.DOTALL | re.MULTILINE)
    return " ".join(found[1].split()) if found else "One or more."


def _recorded_defaults(stage: Callable, args: list[str]) -> dict[str, Any]:
    """Return values that older config files imply; `stage` declares them in a method `recorded_defaults`."""
    recorded_defaults = getattr(stage, "recorded_defaults", None)
    defaults: dict[str, Any] = {}
    for name, value in zip(args, [*args[1:], ""], strict=False) if recorded_defaults else ():
        option, _, file = name.partition("=")
        if option == "--config":
            defaults |= recorded_defaults(_settings(file or value))
    return defaults


def _settings(file: str) -> dict[str, Any]:
    """Read the settings of a YAML file. An unreadable file gives none: the parser reports its fault later."""
    import yaml

    try:
        with open(file, encoding="utf-8") as text:
            settings = yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError):
        return {}
    return settings if isinstance(settings, dict) else {}


def _unplaced(stage: Callable) -> Callable:
    """Copy a function, with "__main__" as its module; return a class unchanged.

    jsonargparse looks a function up by name in each package above it. In `tfrespam`, names such as `export` are other
    functions, and looking them up would import Keras for a --help.
    """
    if inspect.isclass(stage):
        return stage
    copy = types.FunctionType(stage.__code__, stage.__globals__, stage.__name__, stage.__defaults__, stage.__closure__)
    copy.__kwdefaults__, copy.__annotations__, copy.__doc__ = stage.__kwdefaults__, stage.__annotations__, stage.__doc__
    copy.__module__ = "__main__"
    return copy


def option_names(stage: Callable, prefix: str = "") -> list[str]:
    """List the options that `parse` offers for a function or class; nested arguments are joined by dots."""
    names = []
    for name, parameter in inspect.signature(stage).parameters.items():
        names.append(prefix + name)
        if dataclasses.is_dataclass(parameter.annotation):
            names += option_names(parameter.annotation, f"{prefix}{name}.")
    return names


def _files_first(stage: Callable, args: list[str]) -> list[str]:
    """Move `--config FILE`, then `--data FILE` and the like, to the front: single options win over files in any order.

    jsonargparse lets the last one win.
    """
    parameters = inspect.signature(stage).parameters.items()
    groups = [f"--{name}" for name, known in parameters if dataclasses.is_dataclass(known.annotation)]
    ranks = {"--config": 0, **dict.fromkeys(groups, 1)}
    words, parts = list(args), []
    while words:
        option, joined, _ = words[0].partition("=")
        length = 2 if option in ranks and not joined else 1
        parts.append((ranks.get(option, 2), words[:length]))
        words = words[length:]
    return [word for _, part in sorted(parts, key=lambda each: each[0]) for word in part]


def _config_files(args: Sequence[str]) -> list[str]:
    """Return the files given as `--config FILE` or `--config=FILE`."""
    return [arg.partition("=")[2] if "=" in arg else after for arg, after in zip(args, [*args[1:], ""], strict=False)
            if arg.partition("=")[0] == "--config"]  # fmt: skip


def _readable(message: str, known: Sequence[str]) -> str:
    """Reword jsonargparse's message; for an unknown option, suggest the most similar one."""
    message = re.sub(r"<class '(\w+)'>", r"\1", message.replace("Parser key", "option"))
    message = _OPTIONAL.sub(_without_none, message)
    message = re.sub(r"a typing\.Literal\[(.*?)\]", r"one of \1", message)
    unknown = re.findall(r"(?:unrecognized arguments: --|Option ')([\w.]+)", message)
    near = difflib.get_close_matches(f"--{unknown[0]}", known, n=1) if unknown else []
    meant = f" Did you mean {near[0]}?" if near else ""
    return f"{message}.{meant} --help lists all options"


def _without_none(match: re.Match) -> str:
    """Return the part of jsonargparse's message about an optional value that does not concern None."""
    expected, value = match.groups()
    return f" {expected.partition('. Got')[0]}. Got value: {value}"


def _joined(args: list[str], stage: Callable) -> list[str]:
    """Rewrite `--box 1 2 3 4` as `--box=[1,2,3,4]`, which jsonargparse reads.

    A list, or a tuple of any length, takes all words up to the next option.
    """
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
    """Return the length of the tuple that the parameter takes; `sys.maxsize` if any length is valid, 0 if no tuple."""
    types = (parameter.annotation, *typing.get_args(parameter.annotation))
    if any(typing.get_origin(each) is list for each in types):
        return sys.maxsize
    parts = next((typing.get_args(each) for each in types if typing.get_origin(each) is tuple), ())
    return sys.maxsize if Ellipsis in parts else len(parts)


def _refuse_empty(values: Any, types: dict[str, Any], prefix: str = "") -> None:
    """Raise UserError for a YAML key without a value (None), unless its type allows None."""
    for name, annotation in types.items():
        value = values[name]
        if value is None and annotation is not None and type(None) not in typing.get_args(annotation):
            raise UserError(f"--{prefix}{name} has no value. Give it one, or remove the line to use the default")
        if dataclasses.is_dataclass(annotation) and value is not None:
            fields = {field.name: field.type for field in dataclasses.fields(annotation)}
            _refuse_empty(value, fields, f"{prefix}{name}.")


def _switches(stage: Callable, args: list[str]) -> list[str]:
    """Rewrite a boolean option without a value, `--name`, as `--name=true`, because jsonargparse requires a value."""
    names = {f"--{name}" for name, known in inspect.signature(stage).parameters.items() if known.annotation is bool}
    values = {"true", "false", "yes", "no"}
    return [f"{arg}=true" if arg in names and after.lower() not in values else arg
            for arg, after in zip(args, [*args[1:], ""], strict=False)]  # fmt: skip
