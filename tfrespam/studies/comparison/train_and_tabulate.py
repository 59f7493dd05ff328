"""Run a comparison: train the missing networks and tabulate the finished ones."""

import contextlib
import sys
from pathlib import Path

from tfrespam.config import Experiment
from tfrespam.core.console import console
from tfrespam.core.errors import UserError
from tfrespam.core.files import read_json
from tfrespam.data.loading.prepared import asked_name, find
from tfrespam.studies.comparison import figures, outputs, results, runner
from tfrespam.studies.comparison.forecast import print_plan
from tfrespam.studies.comparison.networks import matched
from tfrespam.studies.comparison.plan import Comparison, chosen, trainings
from tfrespam.studies.comparison.probe import probe
from tfrespam.studies.comparison.runner import Failure, is_finished
from tfrespam.training.run_results import RunResults
from tfrespam.training.runs import REMOVE, TrainingRun, run_folder
from tfrespam.workflows.find_export import exported
from tfrespam.workflows.training import check_prepared


def compare(comparison: Comparison) -> None:
    """Train every network of a comparison, and tabulate their scores with the published ones.

    Finished trainings are reused, so that the same command resumes after an interruption. A failed training is
    reported at the end, with exit status 1; the others are tabulated.
    """
    if comparison.match_parameters:
        trainings(comparison)  # reports mistakes before the search for widths
        comparison = matched(comparison)
    planned = [(training, run_folder(training.experiment)) for training in trainings(comparison)]
    if comparison.dry_run:
        print_plan(comparison, planned)
        return
    output = Path(comparison.output or Path("experiments") / "results" / comparison.name)
    failures = _train(comparison, planned, output)
    failures += _tabulate(comparison, planned, output)
    if failures:
        _print_failures(failures)
        sys.exit(1)


def _train(comparison: Comparison, planned: list, output: Path) -> list:
    wanted = [(training, folder) for training, folder in planned if chosen(comparison, training.network)]
    if not all(runner.is_finished(folder) for _, folder in wanted):
        _check_data([training for training, _ in wanted])
    return runner.run_all(wanted, output, comparison.parallel)


def _check_data(wanted: list) -> None:
    """Raise UserError for missing data, with the command that prepares them, before the first training."""
    for training in wanted:
        check_prepared(training.experiment)


def _tabulate(comparison: Comparison, planned: list, output: Path) -> list:
    """Write tables and figures of all finished runs; return the failures."""
    finished, failures = _finished(planned)
    if not finished:
        if failures:
            return failures
        raise UserError("no training of this comparison has been finished")
    everything = [training for training, _ in planned]
    failures += probe(_exported(planned, results.rows(everything, finished)), comparison.base.data_dir)
    rows = results.rows(everything, finished)
    outputs.write(comparison, rows, output)
    phantom = all(row.numbers["dataset"] == "phantom" for row in rows)
    image_folder = output if phantom else Path(comparison.base.runs_dir) / f"{comparison.base.name}-cases"
    for file in figures.draw_all(rows, output, image_folder):
        console.print(f"drawn {file}")
    return failures


def _finished(planned: list) -> tuple[dict, list]:
    """Return the finished runs by position in the plan, and failures: damaged runs and runs on other data."""
    runs, damaged, known = {}, [], {}
    for position, (training, folder) in enumerate(planned):
        if not is_finished(folder):
            continue
        try:
            run = RunResults.read(folder)
        except UserError as error:
            damaged.append(Failure(str(training), f"{error}. Or remove {folder} to train it again"))
            continue
        if _has_other_data(training.experiment, run, known):
            damaged.append(Failure(str(training), f"{folder} was trained and evaluated on other examples than those "
                                                  "in the data set now. Remove it to train again"))  # fmt: skip
        else:
            runs[position] = run
    return runs, damaged


def _has_other_data(experiment: Experiment, run: RunResults, known: dict[str, str]) -> bool:
    """Return True if a run was trained or evaluated on other examples than the prepared ones.

    If the data set is missing, the first run on it counts instead.

    Args:
        experiment: Its settings.
        run: Its results; those of earlier releases may lack digests.
        known: Digest of each data set, filled in here.
    """
    data, file = experiment.data, run.folder / "data.json"
    trained = read_json(file, REMOVE) if file.is_file() else {}
    digests = run.summary.get("data_sha256"), trained.get("index_sha256")
    place = f"{experiment.data_dir}/{data.dataset}/{asked_name(data)}"
    if place not in known:
        with contextlib.suppress(UserError):
            known[place] = find(experiment.data_dir, data).digest
    wider = {f"{place} x {experiment.augment.recrop:g}": trained.get("wider_index_sha256")}
    found = [(place, digest) for digest in digests] + list(wider.items())
    return any(digest is not None and digest != known.setdefault(name, digest) for name, digest in found)


def _exported(planned: list, rows: list) -> list:
    """Return the first run of each row with its exported model, if it still exists."""
    experiments = {folder: training.experiment for training, folder in planned}
    first = {row.runs[0].folder: row.runs[0] for row in rows}
    pairs = [(run, exported(TrainingRun(experiments[folder]))) for folder, run in first.items()]
    return [(run, path) for run, path in pairs if path]


def _print_failures(failures: list) -> None:
    print(f"error: {len(failures)} of this comparison's steps failed; the tables contain the others", file=sys.stderr)
    for failure in failures:
        output = "\n".join(f"    {line}" for line in failure.output.strip().splitlines())
        print(f"\n  {failure.step}:\n{output}", file=sys.stderr)
