"""Print the plan of a comparison: trainings, missing data, and estimates of time, memory and disk space."""

import dataclasses
import math
from pathlib import Path

import rich.console
import rich.table

from tfrespam.config import Experiment
from tfrespam.core import runtime, workers
from tfrespam.core.console import console
from tfrespam.core.errors import UserError
from tfrespam.data.loading.pairs import channels
from tfrespam.data.loading.prepared import COPIES, find
from tfrespam.data.loading.protocols import PAPER_TRAINING_SHARE
from tfrespam.studies.comparison.networks import parameters
from tfrespam.studies.comparison.plan import Comparison, Training, chosen
from tfrespam.studies.comparison.runner import is_finished
from tfrespam.studies.comparison.writing import TERMINAL_WIDTH
from tfrespam.training.estimate import Estimate, Measured, duration, size
from tfrespam.training.runs import TrainingRun
from tfrespam.workflows.training import check_prepared

UNKNOWN = "?"


def print_plan(comparison: Comparison, planned: list[tuple[Training, Path]]) -> None:
    """Print the plan; measure a few steps of each network that is not trained yet."""
    waiting = [training for training, folder in planned
               if chosen(comparison, training.network) and not is_finished(folder)]  # fmt: skip
    missing = missing_data([training.experiment for training in waiting])
    estimates = {id(training): estimate for training, estimate in zip(waiting, forecast(waiting), strict=True)}
    headers = ("Network", "Width", "Parameters", "Finished", "Step, s", "Time each", "Memory", "Disk each")
    grid = rich.table.Table(*(rich.table.Column(header, no_wrap=True) for header in headers),
                            title=f"Plan of {comparison.name}: {', '.join(comparison.recipes)}; "
                                  f"{', '.join(comparison.protocols)}", title_justify="left")  # fmt: skip
    for network, count in zip(comparison.models, parameters(comparison), strict=True):
        own = [(training, folder) for training, folder in planned if training.network is network]
        known = [estimates[id(training)] for training, _ in own if estimates.get(id(training))]
        done = sum(is_finished(folder) for _, folder in own)
        grid.add_row(network.title, f"{network.width or comparison.base.model.width:g}", f"{count:,}",
                     f"{done} of {len(own)}", *_needs(known))  # fmt: skip
    rich.console.Console(file=console.file, width=max(console.width, TERMINAL_WIDTH), highlight=False).print(grid)
    wanted = [folder for training, folder in planned if chosen(comparison, training.network)]
    console.print(f"{len(wanted)} trainings, {sum(map(is_finished, wanted))} of them finished")
    known = list(filter(None, estimates.values()))
    if known:
        console.print(f"the others take about {duration(sum(each.seconds for each in known))} one after the other, at "
                      f"most {size(max(each.memory for each in known))} of memory and "
                      f"{size(sum(each.measured.disk for each in known))} of disk, measured under the "
                      "current load of this machine")  # fmt: skip
    for message in missing:
        console.print(f"missing: {message}")


def missing_data(experiments: list[Experiment]) -> list[str]:
    """Return messages about the missing data sets, with the commands that prepare them."""
    found = {}
    for experiment in experiments:
        try:
            check_prepared(experiment)
        except UserError as error:
            found[str(error)] = None
    return list(found)


def forecast(trainings: list[Training]) -> list[Estimate | None]:
    """Estimate each training; None if its data are not prepared. Each network is measured once per recipe."""
    measured: dict[tuple, Measured] = {}
    estimates = []
    for training in trainings:
        counts, experiment = _examples(training.experiment), training.experiment
        if not counts:
            estimates.append(None)
            continue
        data, batch = experiment.data, experiment.training.batch_size
        key = training.network.title, training.recipe, data.image_shape, data.second, batch
        if key not in measured:
            with workers.pool(1) as pool:  # separate processes, for the peak memory of one network
                measured[key] = pool.submit(_measured, experiment).result()
        estimates.append(Estimate(measured[key], experiment.training.epochs, counts[0] // batch, batch, counts[1],
                                  math.prod(data.image_shape), channels(data.second)))  # fmt: skip
    return estimates


def _examples(experiment: Experiment) -> tuple[int, int] | None:
    """Return the numbers of training and validation examples; copies that do not exist yet are counted."""
    data = experiment.data
    try:
        splits = TrainingRun(experiment).splits
        return int(splits["train"].sum()), int(splits["validation"].sum())
    except UserError:
        pass
    try:
        originals = find(experiment.data_dir, dataclasses.replace(data, protocol="official"))
    except UserError:
        return None
    if data.protocol != "paper":
        return None
    copies = COPIES * int((originals.table["split"] != "test").sum())
    return int(PAPER_TRAINING_SHARE * copies), copies - int(PAPER_TRAINING_SHARE * copies)


def _measured(experiment: Experiment) -> Measured:
    """Measure a training; runs in the worker process."""
    training = experiment.training
    runtime.start(experiment.seed, deterministic=training.deterministic, precision=training.precision)
    from tfrespam.training.experiment_cost import measure_training

    return measure_training(experiment)


def _needs(known: list[Estimate]) -> list[str]:
    """Return cells: seconds per step, time, memory and disk space of the network's most expensive training."""
    if not known:
        return [UNKNOWN] * 4
    return [f"{max(each.measured.seconds for each in known):.3g}", duration(max(each.seconds for each in known)),
            size(max(each.memory for each in known)), size(max(each.measured.disk for each in known))]  # fmt: skip
