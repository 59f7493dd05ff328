"""Write the reference pages from the docstrings: python docs/make_reference.py

The pages under docs/reference are Markdown that a code host shows as it is; the source is read, not imported.
tests/test_reference.py checks that they are up to date.
"""

import ast
from pathlib import Path

import griffe

ROOT = Path(__file__).parents[1]
HEAD = "<!-- Written by docs/make_reference.py from the docstrings. Change those, and run it again. -->"

# page -> (title, the modules or objects that it tells of; of a module with __all__ the names there, in their order)
PAGES = {
    "library": ("The package", ["tfrespam.models.factory.build_model", "tfrespam.api.load_model",
                                "tfrespam.api.export_model", "tfrespam.api.evaluate_model",
                                "tfrespam.api.predict_images"]),
    "data": ("Data", ["tfrespam.data", "tfrespam.data.loading.augment.geometry",
                      "tfrespam.data.loading.augment.intensity"]),
    "layers": ("Layers", ["tfrespam.layers"]),
    "losses": ("Losses", ["tfrespam.losses"]),
    "metrics": ("Metrics", ["tfrespam.metrics"]),
    "models": ("Networks", ["tfrespam.models.factory.build_model", *(f"tfrespam.models.{name}.{name}" for name in (
        "respam_unet", "ds_unet", "au_net", "attention_unet", "unet", "connected_unets", "segnet", "connected_segnets",
        "resnet50_unet", "backbone_unet", "cgan", "fc_densenet_ms", "prior_knowledge_net", "attention_dense_unet",
        "ru_net", "multi_input"))]),
    "config": ("Settings of a training", ["tfrespam.config"]),
    "evaluation": ("Evaluation", [f"tfrespam.evaluation.{name}" for name in (
        "confusion", "statistics", "surface", "extent", "trivial", "probability_counts", "calibration",
        "detection", "froc", "candidate_reliability", "platt_scaling")]),
    "exported": ("Exported models", ["tfrespam.serving.inference.saved_model",
                                     "tfrespam.serving.graph.signatures.export_archive",
                                     "tfrespam.serving.graph.film_candidates",
                                     "tfrespam.serving.inference.film_chain",
                                     "tfrespam.serving.client.client.Client"]),
}  # fmt: skip

# command -> the class whose fields are its options, if these are not the arguments of the function of its name
COMMANDS = {"prepare": "", "train": "train.Training", "export": "", "evaluate": "", "predict": "",
            "compare": "studies.comparison.plan.Comparison", "tune": "", "report": "", "verify": "", "benchmark": "",
            "demo": ""}  # fmt: skip
STATUSES = """## Exit status

| status | meaning |
|---|---|
| 0 | finished |
| 1 | `compare`: a training failed; otherwise a defect of the program, with a traceback |
| 2 | rejected input or a system error such as a full disk, with one message; `verify`: the results differ |
| 3 | `prepare`: too many listed files are missing |
| 130 | interrupted by Ctrl-C; the same command resumes |"""

_PARSER = {"warnings": False, "returns_multiple_items": False, "returns_named_value": False}


def main() -> None:
    for name, text in pages().items():
        (ROOT / "docs" / "reference" / f"{name}.md").write_text(text, encoding="utf-8")


def pages() -> dict[str, str]:
    """The Markdown of each page, by its name."""
    package = griffe.load("tfrespam", search_paths=[ROOT], resolve_aliases=True)
    return {page: _page(package, page, *told) for page, told in PAGES.items()} | {"commands": _commands(package)}


def _commands(package: griffe.Module) -> str:
    """The page of all commands with their options."""
    intro = ("Each is called as `python -m tfrespam.train` or `tfrespam train`. Values of lists are separated by "
             "commas or given as YAML. `--config FILE` reads options from a YAML file; those of the command line "
             "override them.")
    parts = [HEAD, "# Commands", intro, *(_command(package, *each) for each in COMMANDS.items()), STATUSES]
    return "\n\n".join(parts) + "\n"


def _command(package: griffe.Module, name: str, owner: str) -> str:
    function = package[f"{name}.{name}"]
    options = package[owner] if owner else function
    told = [section.value for section in function.docstring.parse("google", **_PARSER) if section.kind.value == "text"]
    items = [item for section in options.docstring.parse("google", **_PARSER) if section.kind.value == "parameters"
             for item in section.value]  # fmt: skip
    rows = [f"| {_option(options, item.name)} | {_cell(item.description)} |" for item in items]
    if name == "train":
        rows.append("| | all [settings of a training](config.md), such as `--training.epochs` |")
    return "\n\n".join([f"## `{name}`", *told, "\n".join(["| option, default | meaning |", "|---|---|", *rows])])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


def _option(options: griffe.Object, name: str) -> str:
    """An option with its default, if it is a number or a word, or the positional arguments."""
    if options.is_function and options.parameters[name].kind.value == "variadic positional":
        return f"`{name.upper()} ...`"
    of_field = "" if options.is_function else _field(options.members[name]).partition(" = ")[2]
    written = options.parameters[name].default if options.is_function else of_field
    if written is None:
        return f"`--{name}`, required"
    default = _value(options, written).translate(str.maketrans("", "", "\"'[]"))
    return f"`--{name}`" + ("" if default in ("", "None", "False", "{}") or "(" in default else f", {default}")


def _page(package: griffe.Module, page: str, title: str, names: list[str]) -> str:
    parts = [HEAD, f"# {title}"]
    for name in names:
        found = package[name.removeprefix("tfrespam.")]
        if not found.is_module:
            parts.append(_entry(found, 2, origin="factory" not in name and page == "models"))
            continue
        intro = _text(found)
        parts += [intro] if len(names) == 1 else [f"## `{name}`", intro]
        parts += [_entry(member, 2 if len(names) == 1 else 3) for member in _public(found)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _public(module: griffe.Module) -> list[griffe.Object]:
    names = module.exports or [name for name, member in module.members.items()
                               if not name.startswith("_") and not member.is_alias]  # fmt: skip
    found = [module[str(name)] for name in names]
    found = [each.final_target if each.is_alias else each for each in found]
    return [each for each in found if each.kind.value in ("class", "function") and each.docstring]


def _entry(found: griffe.Object, level: int, origin: bool = False) -> str:
    """Heading, signature, docstring, and of a class its public methods; with `origin` also the module's docstring."""
    parts = [f"{'#' * level} `{found.name}`", f"```python\n{_signature(found)}\n```"]
    parts += [_text(found.module), _text(found)] if origin else [_text(found)]
    if found.is_class:
        methods = [member for name, member in found.members.items()
                   if not name.startswith("_") and not member.is_alias and member.docstring
                   and member.kind.value in ("function", "attribute")]  # fmt: skip
        parts += [_method(member) for member in methods if member.is_function or "property" in member.labels]
    return "\n\n".join(part for part in parts if part)


def _method(member: griffe.Object) -> str:
    if not member.is_function:
        return f"**`{member.name}`**\n\n{_text(member)}"
    shown = _signature(member)  # a code span holds no line breaks
    return f"```python\n{shown}\n```\n\n{_text(member)}" if "\n" in shown else f"**`{shown}`**\n\n{_text(member)}"


def _signature(found: griffe.Object) -> str:
    """The call as it is written, without `self`; on several lines where one would be too long."""
    called = found
    if found.is_class:
        called = found.all_members.get("__init__")
        fields = [member for member in found.members.values() if member.is_attribute and member.annotation is not None
                  and "property" not in member.labels]  # fmt: skip
        if called is None or called.is_alias or "dataclass" in found.labels:
            return _call(found.name, [_field(each) for each in fields])
    arguments, starred = [], False
    for each in called.parameters:
        if each.name == "self":
            continue
        prefix = {"variadic positional": "*", "variadic keyword": "**"}.get(each.kind.value, "")
        if each.kind.value == "keyword-only" and not starred:
            arguments.append("*")
        starred = starred or prefix == "*" or each.kind.value == "keyword-only"
        typed = f": {each.annotation}" if each.annotation is not None else ""
        default = "" if each.default is None or prefix else f"{' = ' if typed else '='}{_value(found, each.default)}"
        arguments.append(f"{prefix}{each.name}{typed}{default}")
    returns = f" -> {called.returns}" if found.is_function and called.returns is not None else ""
    return _call(found.name, arguments, returns)


def _call(name: str, arguments: list[str], returns: str = "") -> str:
    """A call on one line of at most 100 characters, or with one argument a line."""
    line = f"{name}({', '.join(arguments)}){returns}"
    return line if len(line) <= 100 else f"{name}(\n    " + ",\n    ".join(arguments) + f",\n){returns}"


def _field(field: griffe.Attribute) -> str:
    """A field of a dataclass with its default."""
    typed = f"{field.name}: {field.annotation}"
    if field.value is None:
        return typed
    value = ast.parse(str(field.value), mode="eval").body
    if not isinstance(value, ast.Call):
        return f"{typed} = {_value(field.parent, field.value)}"
    factory = {keyword.arg: keyword.value for keyword in value.keywords}.get("default_factory")
    if isinstance(factory, ast.Lambda):
        return f"{typed} = {ast.unparse(factory.body)}"
    if factory is None:  # a function that wraps the default
        return f"{typed} = {ast.unparse(value.args[0])}"
    return f"{typed} = {({'dict': '{}', 'list': '[]'}).get(ast.unparse(factory), f'{ast.unparse(factory)}()')}"


def _value(owner: griffe.Object, default: object) -> str:
    """A default as it is written; for the name of a constant its value, if that is a literal."""
    module, name = owner.module, str(default)
    if not name.isidentifier() or name not in module.members:
        return name
    constant = module[name].final_target if module[name].is_alias else module[name]
    try:
        return repr(ast.literal_eval(str(constant.value)))
    except (ValueError, SyntaxError):
        return name


def _text(found: griffe.Object) -> str:
    """The docstring as Markdown."""
    if not found.docstring:
        return ""
    return "\n\n".join(filter(None, map(_section, found.docstring.parse("google", **_PARSER))))


def _section(section: griffe.DocstringSection) -> str:
    kind, value = section.kind.value, section.value
    if kind == "text":
        return value.strip()
    if kind == "admonition":
        return f"**{section.title or value.kind}**\n\n{_call_arguments(value.contents)}"
    if kind == "examples":
        return "**Example**\n\n" + "\n\n".join(
            text.strip() if part.value == "text" else f"```python\n{text}\n```" for part, text in value)  # fmt: skip
    titles = {"parameters": "Args", "raises": "Raises", "returns": "Returns", "yields": "Yields",
              "attributes": "Attributes", "other parameters": "Further arguments"}  # fmt: skip
    rows = [_row(each) for each in value]
    return f"**{titles.get(kind, kind.capitalize())}**\n\n" + "\n".join(rows)


def _row(item) -> str:
    named = getattr(item, "name", "") or (str(item.annotation) if item.__class__.__name__.endswith("Raise") else "")
    text = " ".join(item.description.split())
    return f"- `{named}`: {text}" if named else f"- {text}"


def _call_arguments(text: str) -> str:
    """`name: what it is` a line, its further lines indented."""
    rows: list[str] = []
    for line in text.splitlines():
        if line.startswith(" ") and rows:
            rows[-1] += f" {line.strip()}"
        elif line.strip():
            name, colon, rest = line.partition(": ")
            rows.append(f"- `{name}`: {rest}" if colon else f"- {line}")
    return "\n".join(rows)


if __name__ == "__main__":
    main()
