"""Kill every stage at random moments with kill -9, repeat the command, and compare with an undisturbed run.

    python tests/helpers/kill_stages.py --seed 0 --kills 200 --output experiments/results/reliability

A stage runs in a fork of this process, which has imported TensorFlow but not yet computed with it, so that kills hit
the work of the stage and not the imports. After each kill every file with its final name must be complete; after every
fifth kill the command is repeated, and its results must equal those of the undisturbed run.
"""

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from stage_results import half_written, same_results, whole_versions

CHAIN = 5  # kills before a run may end
SECONDS = 1200


def load() -> None:
    """Import everything that a stage imports, without starting a thread."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    sys.path[:0] = [str(Path(__file__).parent)]
    from tfrespam.core import runtime

    runtime.load_tensorflow()
    import keras_tuner  # noqa: F401
    import tensorflow_datasets  # noqa: F401
    import tiny  # noqa: F401

    from tfrespam.data.preparing import builder  # noqa: F401
    from tfrespam.serving.graph import signatures, warmup  # noqa: F401
    from tfrespam.studies.comparison import figures, probe, runner
    from tfrespam.studies.reporting import gallery  # noqa: F401
    from tfrespam.training.tuning import search  # noqa: F401
    from tfrespam.workflows import export_runs, exporting, prediction, training, tuning, verification  # noqa: F401

    del figures, probe
    runner.launch = _launch
    threads = [path.read_text().strip() for path in Path("/proc/self/task").glob("*/comm")]
    others = [name for name in threads[1:] if name != "jemalloc_bg_thd"]  # which knows of forks
    assert not others, f"a fork would not be safe beside the threads {others}"


def _launch(training, config: Path, log: Path) -> int:
    """Run the training of `compare` in a fork, where the network `tiny` is registered, instead of a new process."""
    from tfrespam.workflows import training

    process = os.fork()
    if process:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    _become(lambda: training.train(training.experiment), log)
    return 0


def _become(work: Callable[[], object], log: Path) -> None:
    """Run `work` in a fork with its output in `log`, then exit without the parent's clean-up."""
    status = 1
    try:
        with open(log, "ab", buffering=0) as file:
            for stream in (1, 2):
                os.dup2(file.fileno(), stream)
        work()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(status)


def fork(work: Callable[[], object], log: Path) -> int:
    """Start `work` in a new process and process group; return its id."""
    process = os.fork()
    if not process:
        os.setsid()
        _become(work, log)
    return process


def ended(process: int, seconds: float) -> int | None:
    """Return the exit status, or None if the process still runs after `seconds`."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        found, status = os.waitpid(process, os.WNOHANG)
        if found:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    return None


def complete(work: Callable[[], object], log: Path) -> float:
    """Run `work` to its end; return the seconds it took."""
    started = time.monotonic()
    status = ended(process := fork(work, log), SECONDS)
    if status is None:
        os.killpg(process, signal.SIGKILL)
    assert status == 0, f"exit status {status}, see {log}"
    return time.monotonic() - started


def kill(work: Callable[[], object], log: Path, seconds: float, whole_group: bool, by: int = signal.SIGKILL) -> bool:
    """Kill `work` after `seconds`, alone or with its worker processes; return False if it had already ended."""
    process = fork(work, log)
    if ended(process, seconds) is not None:
        return False
    (os.killpg if whole_group else os.kill)(process, by)
    status = ended(process, SECONDS)
    if by == signal.SIGINT and status != 0:  # it may just have come to its end
        assert status == 130, f"exit status {status} after Ctrl-C, see {log}"
    until = time.monotonic() + SECONDS
    while _lives(process):
        assert time.monotonic() < until, "workers outlive the process that was killed"
        time.sleep(0.02)
    return True


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def stage(name: str, *args: str) -> Callable[[], None]:
    """Return `python -m tfrespam.<name> ARGS` as a function."""
    def run():
        import importlib

        module = importlib.import_module(f"tfrespam.{name}")
        sys.argv = [module.__file__, *args]
        module.main()

    return run


class Stages:
    """Commands of the stages as functions of their output folder, on data of six phantom patients in `home`."""

    def __init__(self, home: Path):
        import dataclasses

        import tiny
        import yaml

        self.home, log = home, home / "setup.log"
        download, self.data = home / "download", home / "data"
        from tfrespam.data.phantom.dataset import write_phantom

        complete(lambda: write_phantom(download, patients=6, workers=1), log)
        self.prepare = lambda to: stage("prepare", "--source", str(download), "--data_dir", str(to), "--name", "tiny",
                                        "--image_size", "32", "--workers", "1")  # fmt: skip
        complete(self.prepare(self.data), log)

        def experiment(to):
            return tiny.experiment(to, self.data, training__ema=0.9, training__tensorboard_curves=10)

        self.train = lambda to: stage("train", *tiny.options(experiment(to)))
        complete(self.train(home), log)
        (run,), model = (home / "runs" / "exp").iterdir(), str(home / "models" / "exp" / "1")
        self.export = lambda to: stage("export", str(run), "--models_dir", str(to / "models"))
        self.evaluate = lambda to: stage("evaluate", "--model", model, "--data_dir", str(self.data),
                                         "--output", str(to))  # fmt: skip
        self.predict = lambda to: stage("predict", str(run / "examples"), "--model", model, "--output", str(to),
                                        "--batch_size", "2")  # fmt: skip
        self.report = lambda to: stage("report", str(run), "--output", str(to / "report.html"))
        settings = json.loads(json.dumps(dataclasses.asdict(experiment(home / "tune"))))
        settings["training"] |= {"epochs": 1}
        (home / "base.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
        self.tune = lambda to: stage("tune", "--experiment", str(home / "base.yaml"), "--trials", "3", "--search",
                                     "[learning_rate]", "--output", str(to))  # fmt: skip
        self.compare = lambda to: lambda: self._compare(settings, to)

    @staticmethod
    def begin(name: str, whole: Path, folder: Path) -> None:
        """Create the output folder: empty, except for `compare`, where one of two trainings is finished."""
        if name != "compare":
            folder.mkdir()
            return
        shutil.copytree(whole, folder)
        for made in (folder / "out", folder / "runs" / "kills-tiny_rival", folder / "models" / "kills-tiny_rival"):
            shutil.rmtree(made)
        for made in [*folder.rglob("probe.json"), *folder.rglob("cases.png")]:
            made.unlink()

    @staticmethod
    def _compare(settings: dict, to: Path) -> None:
        import yaml

        places = {"runs_dir": str(to / "runs"), "models_dir": str(to / "models")}
        to.mkdir(exist_ok=True)
        asked = {"name": "kills", "base": settings | places, "models": [{"name": "tiny"}, {"name": "tiny_rival"}],
                 "protocols": ["folds"], "output": str(to / "out")}  # fmt: skip
        asked["base"] |= {"name": "kills"}
        file = to.with_suffix(".compare.yaml")
        file.write_text(yaml.safe_dump(asked), encoding="utf-8")
        stage("compare", "--config", str(file))()


# Of 200 kills; compare and tune take much longer than the others.
SHARES = {"prepare": 32, "train": 32, "export": 30, "evaluate": 32, "predict": 32, "compare": 10, "report": 20,
          "tune": 12}  # fmt: skip


def kill_stage(stages: Stages, name: str, kills: int, seed: int, by: int = signal.SIGKILL) -> dict:
    """Kill the stage `kills` times; return the counts and the lost results."""
    draw, log = random.Random(f"{seed} {name}"), stages.home / f"{name}.log"
    command, whole = getattr(stages, name), stages.home / name / "whole"
    whole.mkdir(parents=True)
    seconds = complete(command(whole), log)
    if name == "compare":
        stages.begin(name, whole, again := whole.with_name("again"))
        seconds = complete(command(again), log)
    agree = whole_versions if name == "export" else same_results
    counts = {"stage": name, "seconds": round(seconds, 2), "kills": 0, "ended_before": 0, "completed_again": 0,
              "lost": []}  # fmt: skip
    chain, folder = 0, stages.home / name / "0"
    while counts["kills"] < kills:
        if not folder.exists():
            stages.begin(name, whole, folder)
        whole_group = draw.random() < 0.5 or by == signal.SIGINT  # which a terminal sends to all
        if kill(command(folder), log, draw.uniform(0, seconds), whole_group, by):
            counts["kills"] += 1
            counts["lost"] += half_written(folder)
        else:
            counts["ended_before"] += 1
            seconds *= 0.9  # other work on the machine made it slower when it was measured
        chain += 1
        if chain == CHAIN or counts["kills"] == kills:
            try:
                complete(command(folder), log)
                complete(agree(folder, whole), log)
                assert not list(folder.rglob(".*partial*")), "something half written was left behind"
                counts["completed_again"] += 1
                shutil.rmtree(folder)
            except AssertionError as error:
                counts["lost"].append(f"{folder}: {error}")
            chain, folder = 0, stages.home / name / str(counts["kills"] + counts["ended_before"])
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kills", type=int, default=200, help="of all stages together")
    parser.add_argument("--by", choices=("KILL", "INT"), default="KILL", help="signal; INT is Ctrl-C")
    parser.add_argument("--stages", nargs="+", default=SHARES, choices=SHARES)
    parser.add_argument("--output", type=Path, help="folder for a JSON file of each stage's counts")
    parser.add_argument("--work", type=Path, help="folder that is kept (default: thrown away)")
    options = parser.parse_args()
    load()
    with tempfile.TemporaryDirectory() as scratch:
        home = (options.work or Path(scratch)).resolve()
        home.mkdir(parents=True, exist_ok=True)
        stages = Stages(home)
        found = []
        for name in options.stages:
            by = signal.Signals[f"SIG{options.by}"]
            found.append(kill_stage(stages, name, -(-SHARES[name] * options.kills // 200), options.seed, by))
            print(json.dumps(found[-1]), flush=True)
            if options.output:
                _write(options, found[-1])
    lost = sum(len(each["lost"]) for each in found)
    print(f"{sum(each['kills'] for each in found)} kills, {lost} lost")
    sys.exit(bool(lost))


def _write(options: argparse.Namespace, counts: dict) -> None:
    from tfrespam.core import provenance
    from tfrespam.core.files import write_json

    command = f"python tests/helpers/kill_stages.py --seed {options.seed} --kills {options.kills}"
    command += f" --stages {counts['stage']}"
    command += " --by INT" if options.by == "INT" else ""
    origin = {"command": command, "seed": options.seed, "machine": provenance.machine(),
              "versions": provenance.versions(), "git": provenance.git()}  # fmt: skip
    kind = {"KILL": "kills", "INT": "interruptions"}[options.by]
    write_json(options.output / f"{kind}-{counts['stage']}.json", {**counts, **origin})


if __name__ == "__main__":
    main()
