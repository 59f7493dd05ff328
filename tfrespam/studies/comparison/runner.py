"""Run trainings in separate processes, which release their memory and do not stop others when they fail."""

import concurrent.futures
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tfrespam.core.console import console
from tfrespam.core.files import whole_file
from tfrespam.core.locks import alone
from tfrespam.studies.comparison.plan import Training

PLACES = ("data_dir", "runs_dir", "models_dir")
_TAIL = 15  # lines of a failed training's log that are printed
_PATIENCE = 5  # seconds between checks of a run that another process trains


@dataclasses.dataclass(frozen=True)
class Failure:
    """A failed step: its name, and the end of its output."""

    step: str
    output: str


def run_all(planned: Sequence[tuple[Training, Path]], output: Path, parallel: int = 1) -> list[Failure]:
    """Run all trainings without summary.json, also after a failure.

    Args:
        planned: Trainings and the folders of their runs.
        output: Results folder, in which settings and log of each training are stored.
        parallel: Number of simultaneous trainings. The first of each protocol runs alone, because it may have to
            prepare the data for the others.
    """
    waiting = [(training, folder) for training, folder in planned if not is_finished(folder)]
    console.print(f"{len(planned)} trainings, {len(planned) - len(waiting)} of them finished already")
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
    """Run trainings in parallel. After an interruption no more are started; running ones end by the same signal."""
    with concurrent.futures.ThreadPoolExecutor(parallel) as pool:
        futures = [pool.submit(_run, *each, output) for each in numbered]
        try:
            return [future.result() for future in futures]
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _run(name: str, training: Training, folder: Path, output: Path) -> Failure | None:
    """Run one training and report it; return the failure, if any."""
    config, log = _files(training, folder, output)
    console.print(f"{name}: training, see {log}")
    started = time.perf_counter()
    status = _when_free(folder, lambda: launch(training, config, log))
    failed = status or not is_finished(folder)
    console.print(f"{name}: {'failed' if failed else 'done'} after {time.perf_counter() - started:.0f} s",
                      markup=False)  # fmt: skip
    return Failure(str(training), f"{_last_lines(log)}\n(exit status {status}; {log})") if failed else None


def is_finished(folder: Path) -> bool:
    return (folder / "summary.json").exists()


def launch(training: Training, config: Path, log: Path) -> int:
    """Run `python -m tfrespam.train` with a file of settings and its output in `log`; return the exit status."""
    places = [f"--{name}={getattr(training.experiment, name)}" for name in PLACES]
    command = [sys.executable, "-u", "-m", "tfrespam.train", f"--config={config}", *places]
    with open(log, "a", encoding="utf-8") as file:  # another process with the same results folder may write it too
        return subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT).returncode


def _when_free(folder: Path, work: Callable[[], int]) -> int:
    """Call `work()` when no other process trains in the folder, unless that process finished the training.

    Two processes may both find the folder unlocked, because a training locks it only after loading its data; the one
    that is rejected then waits for the other.
    """
    while True:
        _wait(folder)
        status = 0 if is_finished(folder) else work()
        if not status or _is_free(folder):
            return status


def _wait(folder: Path) -> None:
    if not _is_free(folder):
        console.print(f"{folder} is being trained by another process; waiting for it")
    while not _is_free(folder):
        time.sleep(_PATIENCE)


def _is_free(folder: Path) -> bool:
    if not folder.is_dir():
        return True
    with alone(folder / ".lock") as free:
        return free


def _files(training: Training, folder: Path, output: Path) -> tuple[Path, Path]:
    """Write the training's file of settings; return its path and that of the log."""
    import yaml

    name = f"{folder.parent.name}-{folder.name}"
    settings = json.loads(json.dumps(dataclasses.asdict(training.experiment)))  # tuples become lists
    for place in PLACES:  # given as options, so that a shared results folder does not contain this machine's paths
        del settings[place]
    config, log = output / "configs" / f"{name}.yaml", output / "logs" / f"{name}.log"
    with whole_file(config) as temporary:
        temporary.write_text(yaml.safe_dump(settings, sort_keys=False, allow_unicode=True), encoding="utf-8")
    os.makedirs(log.parent, exist_ok=True)
    return config, log


def _last_lines(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-_TAIL:])
