import multiprocessing
import sys
import threading
import time

import pytest
import yaml
from fake_runs import write_run

from tfrespam.cli import parse
from tfrespam.config import Experiment
from tfrespam.core.locks import alone
from tfrespam.studies.comparison import runner
from tfrespam.studies.comparison.plan import Comparison, Network, trainings
from tfrespam.training.runs import run_folder

IMAGES = {"a 1": (30, 5, 5)}


@pytest.fixture
def planned(tmp_path):
    base = Experiment(name="b", data_dir=str(tmp_path / "data"), runs_dir=str(tmp_path / "runs"))
    base.data.exclude_films = ("P_1", "P_2")
    comparison = Comparison(base=base, models=[Network("unet"), Network("segnet"), Network("au_net")],
                            protocols=["folds"])  # fmt: skip
    return [(training, run_folder(training.experiment)) for training in trainings(comparison)]


@pytest.fixture
def launched(monkeypatch, planned):
    """Names of the networks whose training was started; "segnet" fails."""
    names = []

    def launch(training, config, log):
        names.append(training.network.name)
        assert runner.is_finished(planned[0][1]) or training.network.name == "unet"
        log.write_text("".join(f"line {number}\n" for number in range(100)) + "error: no memory\n")
        if training.network.name == "segnet":
            return 2
        write_run(run_folder(training.experiment), IMAGES)
        return 0

    monkeypatch.setattr(runner, "launch", launch)
    return names


def test_other_trainings_continue_after_a_failure(planned, launched, tmp_path, capsys):
    failures = runner.run_all(planned, tmp_path / "out")
    assert launched == ["unet", "segnet", "au_net"]
    assert [failure.step for failure in failures] == ["SegNet, controlled recipe, folds, fold 0, seed 0"]
    assert "error: no memory\n(exit status 2;" in failures[0].output
    assert failures[0].output.startswith("line 86\n")  # the last lines only
    assert "[2/3] SegNet, controlled recipe, folds, fold 0, seed 0: failed" in capsys.readouterr().out


def test_finished_trainings_are_reused_and_failed_ones_repeated(planned, launched, tmp_path, capsys):
    runner.run_all(planned, tmp_path / "out")
    launched.clear()
    capsys.readouterr()
    runner.run_all(planned, tmp_path / "out")
    assert launched == ["segnet"]
    assert "3 trainings, 2 of them finished already" in capsys.readouterr().out


def test_trainings_can_run_in_parallel(tmp_path, monkeypatch):
    """The first of each protocol runs alone, then two at a time, which wait for each other here."""
    base = Experiment(name="b", data_dir=str(tmp_path / "data"), runs_dir=str(tmp_path / "runs"))
    models = [Network(name) for name in ("unet", "segnet", "au_net")]
    made = trainings(Comparison(base=base, models=models, protocols=["folds", "paper"]))
    together, running, most = threading.Barrier(2, timeout=20), [], []

    def launch(training, config, log):
        running.append(training)
        most.append((len(running), training.network.name))
        if training.network.name != "unet":
            together.wait()
        running.remove(training)
        log.write_text("error: no memory\n")
        if (training.network.name, training.protocol) == ("segnet", "paper"):
            return 2
        write_run(run_folder(training.experiment), IMAGES, protocol=training.protocol)
        return 0

    monkeypatch.setattr(runner, "launch", launch)
    planned = [(training, run_folder(training.experiment)) for training in made]
    failures = runner.run_all(planned, tmp_path / "out", parallel=2)
    assert [failure.step for failure in failures] == ["SegNet, controlled recipe, paper, seed 0"]
    assert most[:2] == [(1, "unet"), (1, "unet")] and max(count for count, _ in most) == 2 and len(most) == 6


def test_a_training_with_status_0_but_no_summary_has_failed(planned, tmp_path, monkeypatch):
    monkeypatch.setattr(runner, "launch", lambda training, config, log: 0)
    failures = runner.run_all(planned[:1], tmp_path / "out")
    assert "exit status 0" in failures[0].output


def test_train_reads_exactly_the_planned_experiment(planned, launched, tmp_path):
    runner.run_all(planned, tmp_path / "out")
    for training, folder in planned:
        config = tmp_path / "out" / "configs" / f"{folder.parent.name}-{folder.name}.yaml"
        places = [f"--{name}={getattr(training.experiment, name)}" for name in runner.PLACES]
        assert Experiment(**parse(Experiment, [f"--config={config}", *places])[1]) == training.experiment
        assert not set(yaml.safe_load(config.read_text())) & set(runner.PLACES)
        assert str(tmp_path) not in config.read_text()


def test_launch_runs_a_process_and_logs_its_output(planned, tmp_path, monkeypatch):
    log = tmp_path / "log"
    monkeypatch.setattr(sys, "executable", "/bin/echo")
    assert runner.launch(planned[0][0], tmp_path / "c.yaml", log) == 0
    assert log.read_text().startswith(f"-u -m tfrespam.train --config={tmp_path / 'c.yaml'} --data_dir=")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert runner.launch(planned[0][0], tmp_path / "c.yaml", log) == 1


def hold(folder, held, seconds):
    with alone(folder / ".lock") as free:
        assert free
        held.set()
        time.sleep(seconds)
        write_run(folder, IMAGES)


def test_a_training_rejected_because_its_folder_is_locked_waits(planned, tmp_path, monkeypatch):
    """A training locks its folder only after reading its data; until then two processes find it unlocked."""
    monkeypatch.setattr(runner, "_PATIENCE", 0.05)
    folder, others, context = planned[0][1], [], multiprocessing.get_context("fork")

    def launch(training, config, log):
        folder.mkdir(parents=True)
        held = context.Event()
        others.append(context.Process(target=hold, args=(folder, held, 0.5)))
        others[0].start()
        held.wait(20)
        log.write_text("error: in use by another process\n")
        return 2

    monkeypatch.setattr(runner, "launch", launch)
    assert runner.run_all(planned[:1], tmp_path / "out") == [] and len(others) == 1
    others[0].join()


def test_the_result_of_another_process_is_awaited_and_used(planned, launched, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(runner, "_PATIENCE", 0.05)
    folder = planned[1][1]
    folder.mkdir(parents=True)
    context = multiprocessing.get_context("fork")
    held = context.Event()
    other = context.Process(target=hold, args=(folder, held, 0.5))
    other.start()
    held.wait(20)
    assert runner.run_all(planned[:2], tmp_path / "out") == []
    other.join()
    assert launched == ["unet"]
    assert "being trained by another process" in capsys.readouterr().out
