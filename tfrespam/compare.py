"""Stage `compare`: many networks trained and judged alike, in one table with intervals, tests, the cost of leakage."""

import contextlib
import sys
from pathlib import Path

from tfrespam import cli
from tfrespam.comparison.plan import Comparison, chosen, trainings
from tfrespam.config import Experiment
from tfrespam.errors import UserError
from tfrespam.train import run_folder


def compare(comparison: Comparison) -> None:
    """Trains, or reuses, every network of a comparison and tabulates them beside the published numbers.

    What is finished is never trained again, so the same command goes on after an interruption. A training that fails
    is reported at the end, with exit status 1, and does not keep the others from being tabulated.
    """
    if comparison.match_parameters:
        from tfrespam.comparison.networks import matched

        trainings(comparison)  # mistakes come out before the search for widths
        comparison = matched(comparison)
    planned = [(training, run_folder(training.experiment)) for training in trainings(comparison)]
    if comparison.dry_run:
        _say_plan(comparison, planned)
        return
    output = Path(comparison.output or Path("experiments") / "results" / comparison.name)
    failures = _train(comparison, planned, output)
    failures += _tabulate(comparison, planned, output)
    if failures:
        _say_failures(failures)
        sys.exit(1)


def _train(comparison: Comparison, planned: list, output: Path) -> list:
    from tfrespam.comparison import runner

    wanted = [(training, folder) for training, folder in planned if chosen(comparison, training.network)]
    if not all(runner.is_finished(folder) for _, folder in wanted):
        _check_data([training for training, _ in wanted])
    return runner.run_all(wanted, output, comparison.parallel)


def _check_data(wanted: list) -> None:
    """Raises UserError, with the command that helps, before the first of many trainings would."""
    from tfrespam.data.prepared import find

    for training in wanted:
        if training.experiment.data.dataset != "phantom":  # which `train` makes
            find(training.experiment.data_dir, training.experiment.data)


def _tabulate(comparison: Comparison, planned: list, output: Path) -> list:
    """Writes tables and figures of all finished runs; returns what could not be read or drawn."""
    from tfrespam.comparison import figures, report, results
    from tfrespam.comparison.probe import probe

    finished, failures = _finished(planned)
    if not finished:
        if failures:
            return failures
        raise UserError("no training of this comparison has been finished")
    everything = [training for training, _ in planned]
    failures += probe(_exported(planned, results.rows(everything, finished)), comparison.base.data_dir)
    rows = results.rows(everything, finished)
    report.write(comparison, rows, output)
    phantom = all(row.numbers["dataset"] == "phantom" for row in rows)
    pictures = output if phantom else Path(comparison.base.runs_dir) / f"{comparison.base.name}-cases"
    for file in figures.draw_all(rows, output, pictures):
        cli.console.print(f"drawn {file}")
    return failures


def _finished(planned: list) -> tuple[dict, list]:
    """The finished runs by position in the plan, and those that cannot stand beside them: damaged, of other data."""
    from tfrespam.comparison.collect import Run
    from tfrespam.comparison.runner import Failure, is_finished

    runs, damaged, known = {}, [], {}
    for position, (training, folder) in enumerate(planned):
        if not is_finished(folder):
            continue
        try:
            run = Run.read(folder)
        except (OSError, ValueError, KeyError) as error:
            damaged.append(Failure(str(training), f"{folder} cannot be read: {error!r}. Remove it to train again"))
            continue
        if _judged_others(training.experiment, run.summary, known):
            damaged.append(Failure(str(training), f"{folder} was trained and judged on other examples than the data "
                                                  "set holds by now. Remove it to train again"))  # fmt: skip
        else:
            runs[position] = run
    return runs, damaged


def _judged_others(experiment: Experiment, summary: dict, known: dict[str, str]) -> bool:
    """Whether a run judged other examples than those prepared now or, where none are, than the first run of them.

    Args:
        experiment: Its settings.
        summary: Its summary.json; runs of earlier releases do not say what they judged.
        known: Digest of each data set, filled in here.
    """
    from tfrespam.data.prepared import asked_name, find

    data, judged = experiment.data, summary.get("data_sha256")
    place = f"{data.dataset}/{asked_name(data)}"
    if place not in known:
        with contextlib.suppress(UserError):
            known[place] = find(experiment.data_dir, data).digest
    return judged is not None and judged != known.setdefault(place, judged)


def _exported(planned: list, rows: list) -> list:
    """The first run of each row with its exported model; without those whose model was removed."""
    from tfrespam.export import exported_from
    from tfrespam.train import selected

    experiments = {folder: training.experiment for training, folder in planned}
    found = []
    for run in (row.runs[0] for row in rows):
        experiment = experiments[run.folder]
        weights = selected(experiment, run.folder)
        path = exported_from(weights, experiment.models_dir, experiment.name) if weights.exists() else None
        if path:
            found.append((run, path))
    return found


def _say_plan(comparison: Comparison, planned: list) -> None:
    import rich.table

    from tfrespam.comparison.networks import parameters
    from tfrespam.comparison.runner import is_finished

    grid = rich.table.Table("Network", "Model", "Width", "Parameters", "Trainings", "Finished",
                            title=f"Plan of {comparison.name}: {', '.join(comparison.recipes)}; "
                                  f"{', '.join(comparison.protocols)}", title_justify="left")  # fmt: skip
    for network, count in zip(comparison.models, parameters(comparison), strict=True):
        own = [folder for training, folder in planned if training.network is network]
        width = network.width or comparison.base.model.width
        grid.add_row(network.title, network.name, f"{width:g}", f"{count:,}", str(len(own)),
                     str(sum(map(is_finished, own))))  # fmt: skip
    cli.console.print(grid)
    wanted = [folder for training, folder in planned if chosen(comparison, training.network)]
    cli.console.print(f"{len(wanted)} trainings, {sum(map(is_finished, wanted))} of them finished")


def _say_failures(failures: list) -> None:
    print(f"error: {len(failures)} of this comparison's steps failed; the tables hold the others", file=sys.stderr)
    for failure in failures:
        said = "\n".join(f"    {line}" for line in failure.said.strip().splitlines())
        print(f"\n  {failure.what}:\n{said}", file=sys.stderr)


def compare_from_options(**options) -> None:
    compare(Comparison(**options))


compare_from_options.__doc__ = compare.__doc__


def main() -> None:
    cli.run(compare_from_options, signature=Comparison)


if __name__ == "__main__":
    main()
