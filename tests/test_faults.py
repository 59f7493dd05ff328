"""Full disks and read-only folders: every stage that writes reports the error and leaves no incomplete output."""

import errno
import shutil
from pathlib import Path

import pytest
import tiny
from broken_disks import FULL, full_disk, read_only

from tfrespam import cli
from tfrespam.config import Experiment
from tfrespam.core.errors import UserError
from tfrespam.core.faults import outside_fault
from tfrespam.core.files import whole_file, write_json
from tfrespam.evaluate import evaluate
from tfrespam.export import export
from tfrespam.predict import predict
from tfrespam.prepare import prepare
from tfrespam.report import report
from tfrespam.serving.inference import saved_model
from tfrespam.train import train
from tfrespam.training.runs import run_folder
from tfrespam.tune import tune
from tfrespam.workflows import training


def refused(stage, args, capsys, **options):
    """Return the error message with which the command ends."""
    with pytest.raises(SystemExit) as ended:
        cli.run(stage, args, **options)
    message = capsys.readouterr().err
    assert ended.value.code == 2 and "Traceback" not in message, message
    return message


def visible(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def commands(trained, download, tmp_path):
    """Return (function, arguments, options) of each stage, without the output folder."""
    experiment, run = trained
    model = str(Path(experiment.models_dir) / "exp")
    training = [option for option in tiny.options(experiment) if not option.startswith("--runs_dir")]
    settings = tmp_path / "base.yaml"
    settings.write_text((run / "config.yaml").read_text())
    return {
        "prepare": (prepare, ["--source", str(download), "--workers", "1", "--data_dir"], {}),
        "train": (train, [*training, "--runs_dir"], {"signature": Experiment}),
        "export": (export, [str(run), "--models_dir"], {}),
        "evaluate": (evaluate, ["--model", model, "--data_dir", experiment.data_dir, "--output"], {}),
        "predict": (predict, [str(run / "examples"), "--model", model, "--output"], {}),
        "tune": (tune, ["--experiment", str(settings), "--output"], {}),
        "report": (report, [str(run), "--images", "false", "--output"], {}),
    }  # fmt: skip


STAGES = ("prepare", "train", "export", "evaluate", "predict", "tune", "report")


@pytest.mark.parametrize("name", STAGES)
def test_a_read_only_folder_is_reported_by_name(commands, name, tmp_path, capsys):
    if name == "tune":
        pytest.importorskip("keras_tuner")
    stage, args, options = commands[name]
    place = tmp_path / "read only é"
    with read_only(place):
        message = refused(stage, [*args, str(place / "new")], capsys, **options)
    assert "Permission denied" in message and "read only é" in message and "read and write" in message
    assert visible(place) == []


@pytest.mark.parametrize(("name", "size"), [("prepare", 16384), ("export", 90112), ("evaluate", 4096),
                                            ("predict", 4096), ("report", 4096)])  # fmt: skip
def test_a_full_disk_leaves_no_incomplete_files(commands, name, size, tmp_path, capsys):
    stage, args, options = commands[name]
    place = tmp_path / "full"
    with full_disk(place, size):
        message = refused(stage, [*args, str(place / "new")], capsys, **options)
        left = [path for path in visible(place) if not path.name.startswith(".predict")]
        assert not [path for path in left if path.name in ("summary.json", "dataset.json", "saved_model.pb", "new")]
        assert not list(place.rglob("*partial*"))
    assert any(words in message for words in FULL.split("|")) and "run the same command again" in message


def test_a_checkpoint_that_does_not_fit_keeps_the_previous_one(trained, prepared, tmp_path, capsys, monkeypatch):
    """The disk fills up in the second epoch; with space again, the run ends with the weights of an undisturbed run."""
    from tfrespam.training.recorder import RunRecorder

    experiment, whole = trained
    experiment = tiny.experiment(tmp_path, experiment.data_dir)
    folder, kept = run_folder(experiment), RunRecorder.on_epoch_end
    monkeypatch.setattr(training, "_publish", lambda *_: None)
    monkeypatch.setattr(training, "_say", lambda *_: None)

    def full_at_last(recorder, epoch, logs=None):
        if epoch == 1:
            (recorder.folder / "state").rename(recorder.folder / "state-1")
            with full_disk(recorder.folder / "other", 8192):
                shutil.copytree(recorder.folder / "state-1", recorder.folder / "state")
                recorder.folder = recorder.folder / "other"
                kept(recorder, epoch, logs)
        kept(recorder, epoch, logs)

    with monkeypatch.context() as patch:
        patch.setattr(RunRecorder, "on_epoch_end", full_at_last)
        message = refused(train, tiny.options(experiment), capsys, signature=Experiment)
    assert any(words in message for words in FULL.split("|"))
    shutil.rmtree(folder / "state-1")
    training.train(experiment)
    from tfrespam.models.stored import load_network

    for name in ("last.keras", "best.keras"):
        both = [load_network(run / name).get_weights() for run in (folder, whole)]
        assert all((one == other).all() for one, other in zip(*both, strict=True))


def test_an_export_to_a_full_disk_keeps_earlier_versions(trained, tmp_path, capsys):
    models = Path(trained[0].models_dir)
    size = sum(path.stat().st_size for path in visible(models))
    with full_disk(tmp_path / "full", size + 200_000) as kind:
        shutil.copytree(models, tmp_path / "full" / "models")
        if kind == "limit":  # no single file is too large: what then happens is tested above
            return
        refused(export, [str(trained[1]), "--models_dir", str(tmp_path / "full" / "models")], capsys)
        assert saved_model.versions(tmp_path / "full" / "models" / "exp") == [1]
        kept = saved_model.fingerprint(tmp_path / "full" / "models" / "exp" / "1")
    assert kept == saved_model.fingerprint(models / "exp" / "1")


@pytest.mark.parametrize(("number", "word"), [(errno.ENOSPC, "Free some space"), (errno.EDQUOT, "quota"),
                                              (errno.EROFS, "writable folder"), (errno.ENOTDIR, "is a file"),
                                              (errno.EISDIR, "A folder has the name"), (errno.ENAMETOOLONG, "shorter"),
                                              (errno.EEXIST, "Something else"), (errno.EIO, "faulty")])
def test_operating_system_errors_are_explained_with_the_path(tmp_path, number, word):
    with pytest.raises(OSError) as caught, whole_file(tmp_path / "a.json"):
        raise OSError(number, "")
    assert f"at {tmp_path / 'a.json'}" in outside_fault(caught.value) and word in outside_fault(caught.value)


def test_operating_system_errors_wrapped_by_libraries_are_recognised():
    try:
        try:
            raise RuntimeError("Unable to write: errno = 28, error message = 'No space left on device'")
        except RuntimeError as error:
            raise ValueError("saving failed") from error
    except ValueError as error:
        assert "Free some space" in outside_fault(error)
    assert outside_fault(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None
    assert outside_fault(ZeroDivisionError()) is None


def test_writing_json_to_a_full_disk_keeps_the_old_file(tmp_path):
    with full_disk(tmp_path / "full", 8192):
        write_json(tmp_path / "full" / "a.json", {"old": 1})
        with pytest.raises(OSError, match=FULL):
            write_json(tmp_path / "full" / "a.json", {"new": "x" * 20_000})
        assert (tmp_path / "full" / "a.json").read_text() == '{\n  "old": 1\n}\n'
        assert [path.name for path in (tmp_path / "full").iterdir()] == ["a.json"]


@pytest.mark.parametrize("name", ["evaluate", "predict", "tune"])
def test_a_second_process_in_the_same_folder_is_rejected(commands, name, tmp_path, capsys):
    from tfrespam.core.locks import alone

    if name == "tune":
        pytest.importorskip("keras_tuner")
    stage, args, options = commands[name]
    (tmp_path / "used").mkdir()
    with alone(tmp_path / "used"):
        message = refused(stage, [*args, str(tmp_path / "used")], capsys, **options)
    assert "in use by another process" in message and "--output" in message
    assert list((tmp_path / "used").iterdir()) == []


def test_names_with_paths_are_rejected(commands, tmp_path, trained):
    for name in ("../x", "a/b", ".hidden", ""):
        with pytest.raises(UserError, match="plain folder name"):
            prepare(commands["prepare"][1][1], str(tmp_path), name)
        with pytest.raises(UserError, match="plain folder name"):
            export(str(trained[1]), models_dir=str(tmp_path / "m"), name=name or "/")
    assert not (tmp_path / "m").exists()
