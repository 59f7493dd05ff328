"""Nothing that is read can run: no pickle, no unsafe YAML, no unsafe networks, no files outside of their folder."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import yaml
from damage import damaged

from tfrespam import cli, export
from tfrespam.config import Experiment
from tfrespam.errors import UserError

SOURCES = sorted(path for path in (Path(__file__).parents[1] / "tfrespam").rglob("*.py"))
FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE = {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "eval", "exec", "os.system",
          "keras.config.enable_unsafe_deserialization", "extractall", "unpack_archive"}  # fmt: skip


def calls(tree):
    """(name as written, call) of every call."""
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_nothing_that_is_read_can_run(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not FORBIDDEN & set(imported(tree))
    for name, call in calls(tree):
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert name not in UNSAFE and name.rpartition(".")[2] not in ("extractall", "unpack_archive"), name
        if name == "np.load":
            assert options.get("allow_pickle") == "False"
        if name.endswith("load_model"):
            assert path.name == "stored.py" and options["safe_mode"] == "True"
        assert options.get("shell") != "True"


def test_yaml_is_data_and_nothing_else(tmp_path):
    made = tmp_path / "made"
    text = f"name: !!python/object/apply:os.system ['touch {made}']\ntraining: {{select: best}}\n"
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match="config"):
        cli.parse(Experiment, ["--config", str(tmp_path / "config.yaml")])
    with pytest.raises(UserError, match="config.yaml cannot be read"):
        export.export(str(tmp_path))
    assert not made.exists()


def test_damaged_settings_are_refused_or_read(tmp_path):
    import dataclasses
    import json

    file = tmp_path / "a ü.yaml"
    whole = yaml.safe_dump(json.loads(json.dumps(dataclasses.asdict(Experiment())))).encode()
    refused = 0
    for content in damaged(whole, 40):
        file.write_bytes(content)
        try:
            assert isinstance(cli.parse(Experiment, ["--config", str(file)])[1]["seed"], int)
        except UserError:
            refused += 1
    assert refused >= 10


def test_settings_from_elsewhere_do_not_choose_where_an_export_goes(tmp_path):
    settings = {"name": "../../elsewhere", "training": {"select": "best"}, "models_dir": str(tmp_path / "m")}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    tiny.network((32, 32, 1)).save(tmp_path / "best.keras")
    with pytest.raises(UserError, match="plain folder name"):
        export.export(str(tmp_path))
    assert not (tmp_path / "m").exists() and not list(tmp_path.parent.glob("elsewhere"))


def test_lists_that_name_files_outside_of_their_folder_find_none(tmp_path):
    """A case list's paths are never opened: films are found by their own headers, below the source."""
    import dicom_files
    import numpy as np

    from tfrespam.data import cbis_ddsm, folder

    secret = tmp_path / "secret"
    secret.mkdir()
    dicom_files.write(secret / "1-1.dcm", np.full((40, 40), 7, np.uint16))
    source = tmp_path / "source"
    source.mkdir()
    row = "P_1,2,LEFT,CC,1,mass,ROUND,CLEAR,4,BENIGN,4,{0},{0},{0}"
    head = ("patient_id,breast_density,left or right breast,image view,abnormality id,abnormality type,mass shape,"
            "mass margins,assessment,pathology,subtlety,image file path,cropped image file path,ROI mask file path")
    (source / "mass_case_description_train_set.csv").write_text(f"{head}\n{row.format('../secret/../1-1.dcm')}\n")
    with pytest.raises(UserError, match="but none of its films"):
        cbis_ddsm.scan(source)
    for name in ("images", "masks"):
        (source / name).mkdir()
    (source / "patients.csv").write_text("image,patient_id\n../secret/1-1.dcm,p\n")
    with pytest.raises(UserError, match="no picture in .* has a mask of the same name"):
        folder.scan(source)


def test_file_names_that_are_no_text_are_read_and_written(small_export, tmp_path, capsys):
    """A name in another encoding than the system's, with brackets, blanks, colons and a quote."""
    import cv2
    import numpy as np

    from tfrespam.predict import predict

    source = tmp_path / "films [old] :x: it's"
    source.mkdir()
    name = os.fsdecode(b"M\xfcller 1.png")
    picture = cv2.imencode(".png", np.arange(1600, dtype=np.uint8).reshape(40, 40))[1].tobytes()
    (source / name).write_bytes(picture)
    try:
        cli.run(predict, [str(source), "--model", str(small_export), "--output", str(tmp_path / "out [new]")])
    except SystemExit as ended:
        raise AssertionError(capsys.readouterr().err) from ended
    assert "out [new]" in capsys.readouterr().out
    assert (tmp_path / "out [new]" / os.fsdecode(b"M\xfcller 1_mask.png")).exists()
    assert b"M\xfcller 1.png" in (tmp_path / "out [new]" / "predictions.csv").read_bytes()


def test_a_command_is_recorded_as_it_can_be_typed_again(monkeypatch):
    from tfrespam import provenance

    typed = ["--output", "a b", "--name", "it's $HOME", "two\nlines", os.fsdecode(b"M\xfcller")]
    monkeypatch.setattr(sys, "argv", ["/x/tfrespam/predict.py", *typed])
    command = provenance.command()
    assert command.startswith("python -m tfrespam.predict --output 'a b'") and "\n" not in command
    start = command.removeprefix("python -m tfrespam.predict ").replace("\\xfc", "")
    shown = subprocess.run(["bash", "-c", f'printf "%s|" {start}'], capture_output=True, text=True).stdout
    assert shown == "|".join(typed[:-1]) + "|Mller|"


def test_the_clock_has_no_say_in_the_results(prepared, data_dir, tmp_path, monkeypatch):
    """Wall-clock time jumps back and forth by up to a year whenever anybody looks at it."""
    import random
    import time

    from tfrespam.data import protocols
    from tfrespam.training.fit import fit

    parts, draw, real = protocols.parts(prepared.table, "official"), random.Random(0), time.time
    weights = []
    for name in ("plain", "jumping"):
        experiment = tiny.experiment(tmp_path, data_dir, training__epochs=1, training__tensorboard_images=0)
        import keras

        keras.utils.set_random_seed(0)
        weights.append(fit(experiment, prepared, parts, tmp_path / name).get_weights())
        monkeypatch.setattr(time, "time", lambda: real() + draw.uniform(-3e7, 3e7))
    assert all((one == other).all() for one, other in zip(*weights, strict=True))
