"""Train, export and evaluate a network; resume a killed run."""

import contextlib
import dataclasses
import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from tfrespam.config import Experiment
from tfrespam.config_checks import check
from tfrespam.core import provenance, runtime
from tfrespam.core.console import log, quoted
from tfrespam.core.files import read_json, whole_file
from tfrespam.core.locks import in_turn, only_one
from tfrespam.data.phantom.dataset import write_phantom
from tfrespam.training.distribution.tf_config import worker_task
from tfrespam.training.runs import EXAMPLES, TrainingRun, check_same_data, removed_if_refused
from tfrespam.training.tensorboard.server import served
from tfrespam.workflows.evaluation import say
from tfrespam.workflows.find_export import exported
from tfrespam.workflows.preparation import prepare_copies, prepare_source

PHANTOM_PATIENTS = 90


def train(experiment: Experiment) -> TrainingRun:
    """Train, export and evaluate the network of `experiment`; steps that a killed call finished are not repeated.

    The phantom data set and the paper's copies are created if they are missing.

    Raises:
        UserError: Settings that contradict each other, missing data, another process in the same folder.
    """
    check(experiment)
    TrainingRun(experiment).import_own_parts()  # reports a wrong name before the data are prepared
    task = worker_task(experiment.strategy)
    prepare_data(experiment)
    run = TrainingRun(experiment)
    if not task.chief:
        _join(run)
        return run
    anew = "Choose another `name`, or remove that folder to train anew"
    if (run.folder / "data.json").exists():
        check_same_data(run.folder, run.digests, anew)
    run.splits  # noqa: B018  reports invalid splits before anything is written
    advice = "It trains the same experiment: wait for it, or change `name` or `seed`"
    with only_one(run.folder / ".lock", advice), removed_if_refused(run.folder):
        check_same_data(run.folder, run.digests, anew)
        with _tensorboard(experiment, run.folder):
            if run.is_finished and exported(run):
                log.info(f"{run.folder}: already finished; change a setting, `seed` or `name` to train again")
            else:
                _work(run)
            _say(run)
    return run


def check_prepared(experiment: Experiment) -> None:
    """Raise UserError, with the command for preparation, if data are missing that `train` does not create."""
    if experiment.data.dataset != "phantom":
        _originals(experiment).source  # noqa: B018


def _originals(experiment: Experiment) -> TrainingRun:
    """Return the run on the data set from which the paper's copies are made."""
    return TrainingRun(dataclasses.replace(experiment, data=dataclasses.replace(experiment.data, protocol="official")))


def prepare_data(experiment: Experiment) -> None:
    """Create missing phantom data sets and copies of the paper. Raises UserError for other missing data sets."""
    home, data = Path(experiment.data_dir), experiment.data
    if experiment.strategy == "multiworker":  # workers that start at the same time must not all create it
        return
    if data.dataset == "phantom":
        _make_phantom(home, data)
    originals = _originals(experiment)
    originals.source  # noqa: B018  reports a missing data set before training starts
    if data.protocol == "paper":
        prepare_copies(originals.prepared)


def _make_phantom(home: Path, data) -> None:
    download = home / "phantom" / "download"
    with in_turn(download.parent, f"another process generates {download}; waiting for it"):
        if not download.exists():
            log.info(f"generating {PHANTOM_PATIENTS} phantom patients in {download}")
            write_phantom(download, patients=PHANTOM_PATIENTS)
    prepare_source(download, home, "phantom", data.view, data.context, data.image_size,
                   image_width=data.image_width)


@contextlib.contextmanager
def _tensorboard(experiment: Experiment, folder: Path) -> Iterator[None]:
    """Serve TensorBoard during the work if requested, on a terminal also afterwards."""
    if not experiment.tensorboard:
        yield
        return
    with served(folder) as url:  # not its subfolder: HParams shows no scores for a session named "."
        log.info(f"TensorBoard: {url}")
        yield
        if sys.stdin.isatty():
            log.info(f"\nTensorBoard: {url} until you press Ctrl-C")
            with contextlib.suppress(KeyboardInterrupt):
                signal.pause()


def _join(run: TrainingRun) -> None:
    """Take part in the training as a worker; only the chief writes files."""
    if run.is_trained:
        log.info(f"{run.folder}: already trained; the chief exports and evaluates the network")
        return
    runtime.load_tensorflow()
    from tfrespam.workflows import fitting

    fitting.fit(run, fitting.start(run.experiment))


def _work(run: TrainingRun) -> None:
    _write_config(run)
    alone = dataclasses.replace(run.experiment, strategy="none", devices=0)  # only the chief exports and evaluates
    runtime.load_tensorflow()
    from tfrespam.workflows import fitting

    devices = fitting.start(alone if run.is_trained else run.experiment)
    for split in ("validation", "test"):
        audit = run.audit(split)
        log.info(f"{split}: {run.splits[split].sum()} of {len(run.splits[split])} examples; leak audit "
                      + ", ".join(f"{kind} {count}" for kind, count in audit.items()))  # fmt: skip
    _publish(run, fitting.fit_or_resume(run, devices))


def _write_config(run: TrainingRun) -> None:
    head = f"# {provenance.command()}\n# {provenance.machine()}; git {provenance.git() or 'unknown'}\n"
    settings = json.loads(json.dumps(dataclasses.asdict(run.experiment)))  # tuples become lists
    with whole_file(run.folder / "config.yaml") as temporary:
        temporary.write_text(head + yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")


def _publish(run: TrainingRun, model) -> None:
    from tfrespam.workflows import publishing

    publishing.publish(run, model)


def _say(run: TrainingRun) -> None:
    say(read_json(run.folder / "summary.json", "Remove it, and the run will be evaluated again"), run.folder)
    folder, model, data = map(quoted, (run.folder, exported(run), run.experiment.data_dir))
    log.info(f"""
run        {run.folder}  (history.csv, loss_curve.png, per-image results)
model      {exported(run)}
next       tensorboard --logdir {folder}
           python -m tfrespam.predict {quoted(run.folder / EXAMPLES)} --model {model} --output predictions
           python -m tfrespam.evaluate --model {model} --data_dir {data} --split train --output evaluation""")


def is_lost_worker(error: Exception) -> bool:
    """Return whether `error` says that another worker of a cluster was lost."""
    import tensorflow as tf

    errors = tf.errors
    return isinstance(error, errors.UnavailableError | errors.AbortedError | errors.CancelledError
                      | errors.DeadlineExceededError)  # fmt: skip
