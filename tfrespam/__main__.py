"""`tfrespam <stage> ...`, the same as `python -m tfrespam.<stage> ...`."""

import importlib
import inspect
import sys
from collections.abc import Sequence

from tfrespam import cli
from tfrespam.core.errors import UserError

STAGES = {  # in the order of the work
    "prepare": "tfrespam.prepare",
    "train": "tfrespam.train",
    "export": "tfrespam.export",
    "evaluate": "tfrespam.evaluate",
    "compare": "tfrespam.compare",
    "report": "tfrespam.report",
    "demo": "tfrespam.demo",
    "verify": "tfrespam.verify",
    "tune": "tfrespam.tune",
    "benchmark": "tfrespam.benchmark",
    "predict": "tfrespam.predict",
}


def main(args: Sequence[str] | None = None) -> None:
    """Run the stage that the command line names first."""
    name, *rest = (sys.argv[1:] if args is None else args) or ["--help"]
    if name in ("-h", "--help"):
        print(overview())
    elif name == "--version":
        from tfrespam import __version__

        print(f"tfrespam {__version__}")
    elif name not in STAGES:
        cli.fail(UserError(f"unknown stage. Expected one of {', '.join(STAGES)}. Received: {name!r}"))
    else:
        stage = importlib.import_module(STAGES[name])
        sys.argv = [stage.__file__, *rest]  # results then tell `python -m tfrespam.<stage> ...` as their command
        stage.main()


def overview() -> str:
    """Return the list of stages, each with the first line of its function's docstring."""
    lines = ["usage: tfrespam STAGE [OPTIONS]", "", "Breast-mass segmentation in mammograms. Stages:", ""]
    for name, module in STAGES.items():
        function = getattr(importlib.import_module(module), name)
        lines.append(f"  {name:9} {inspect.getdoc(function).splitlines()[0]}")
    return "\n".join([*lines, "", "tfrespam STAGE --help lists a stage's options.",
                      "tfrespam train without options generates synthetic films and trains a small network on them, "
                      "in a few minutes."])  # fmt: skip


if __name__ == "__main__":
    main()
