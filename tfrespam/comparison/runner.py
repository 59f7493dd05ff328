"""Trainings one after the other, each in a process of its own: its memory is given back, and when it fails the others
go on.
"""

import concurrent.futures
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tfrespam import cli
from tfrespam.comparison.plan import Training
from tfrespam.files import alone, whole_file

PLACES = ("data_dir", "runs_dir", "models_dir")
_TAIL = 15  # lines of a failed training's log that are shown
_PATIENCE = 5  # seconds between two looks at a run that another process trains


@dataclasses.dataclass(frozen=True)
class Failure:
    """Something that did not work: which training, and the end of what it said."""

    what: str
    said: str


def run_all(planned: Sequence[tuple[Training, Path]], output: Path, parallel: int = 1) -> list[Failure]:
    """Trains what has no summary.json yet; goes on after a failure.

    Args:
        planned: Trainings and the folders of their runs.
        output: Results folder: each training's settings and its log are kept below it.
        parallel: How many train at the same time. The first under each protocol trains alone: it may have to prepare
            the data that the others read.
    """
    waiting = [(training, folder) for training, folder in planned if not is_finished(folder)]
    cli.console.print(f"{len(planned)} trainings, {len(planned) - len(waiting)} of them finished already")
    numbered = [(f"[{number}/{len(waiting)}] {training}", training, folder)
                for number, (training, folder) in enumerate(waiting, 1)]  # fmt: skip
    if parallel == 1:
        found = [_run(*each, output) for each in numbered]
    else:
        firsts = _first_of_each_protocol(numbered)
        found = [_run(*each, output) for each in firsts]
        found += _side_by_side([each for each in numbered if each not in firsts], output, parallel)
    return [failure for failure in found if failure]


def _first_of_each_protocol(numbered: list) -> list:
    firsts = {}
    for each in numbered:
        firsts.setdefault(each[1].protocol, each)
    return list(firsts.values())


def _side_by_side(numbered: list, output: Path, parallel: int) -> list[Failure | None]:
    """Interrupted, it starts no further training; those under way end by themselves, as their process is told to."""
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        futures = [pool.submit(_run, *each, output) for each in numbered]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run(name: str, training: Training, folder: Path, output: Path) -> Failure | None:
    """Trains, and says so; returns what went wrong."""
    config, log = _files(training, folder, output)
    cli.console.print(f"{name}: training, see {log}")
    started = time.perf_counter()
    status = _when_free(folder, lambda: launch(training, config, log))
    failed = status or not is_finished(folder)
    cli.console.print(f"{name}: {'failed' if failed else 'done'} after {time.perf_counter() - started:.0f} s",
                      markup=False)  # fmt: skip
    return Failure(str(training), f"{_last_lines(log)}\n(exit status {status}; {log})") if failed else None


def is_finished(folder: Path) -> bool:
    return (folder / "summary.json").exists()


def launch(training: Training, config: Path, log: Path) -> int:
    """`python -m tfrespam.train` with that file of settings, what it prints into `log`; returns its exit status."""
    places = [f"--{name}={getattr(training.experiment, name)}" for name in PLACES]
    command = [sys.executable, "-u", "-m", "tfrespam.train", f"--config={config}", *places]
    with open(log, "w", encoding="utf-8") as file:
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT).returncode


def _when_free(folder: Path, work: Callable[[], int]) -> int:
    """`work()`, once no other process trains in the folder: nothing is left to do when that one has finished it.

    Two processes may both find the folder free, as a training holds it only once it has its data: the one that is
    refused then waits for the other.
    """
    while True:
        _wait(folder)
        status = 0 if is_finished(folder) else work()
        if not status or _is_free(folder):
            return status


def _wait(folder: Path) -> None:
    if not _is_free(folder):
        cli.console.print(f"{folder} is being trained by another process; waiting for it")
    while not _is_free(folder):
        time.sleep(_PATIENCE)


def _is_free(folder: Path) -> bool:
    if not folder.is_dir():
        return True
    with alone(folder / ".lock") as free:
        return free


def _files(training: Training, folder: Path, output: Path) -> tuple[Path, Path]:
    """The training's file of settings, written, and the place of its log."""
    import yaml

    name = f"{folder.parent.name}-{folder.name}"
    settings = json.loads(json.dumps(dataclasses.asdict(training.experiment)))  # tuples become lists
    for place in PLACES:  # given as options: a results folder that is shared should not name this machine's folders
        del settings[place]
    config, log = output / "configs" / f"{name}.yaml", output / "logs" / f"{name}.log"
    with whole_file(config) as temporary:
        temporary.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    os.makedirs(log.parent, exist_ok=True)
    return config, log


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-_TAIL:])
