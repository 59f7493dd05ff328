"""No code in files is executed: no pickle, no unsafe YAML or networks, no paths outside the folder."""

import ast
import io
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
import yaml
from damage import damaged

from tfrespam import cli
from tfrespam.config import Experiment
from tfrespam.core.arguments import parse
from tfrespam.core.errors import UserError
from tfrespam.export import export
from tfrespam.models import imagenet

SOURCES = sorted(path for path in (Path(__file__).parents[1] / "tfrespam").rglob("*.py"))
FORBIDDEN = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE = {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all", "eval", "exec", "os.system",
          "keras.config.enable_unsafe_deserialization", "extractall", "unpack_archive"}  # fmt: skip


def calls(tree):
    """Return (name as written, call) of every call."""
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def imported(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_function_that_executes_file_content_is_used(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not FORBIDDEN & set(imported(tree)) or path.stem == "imagenet"
    for name, call in calls(tree):
        options = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert name not in UNSAFE and name.rpartition(".")[2] not in ("extractall", "unpack_archive"), name
        if name == "np.load":
            assert options.get("allow_pickle") == "False"
        if name.endswith("load_model") and not (path.parent.name == "api" and name == "load_model"):  # our own there
            assert path.name == "stored.py" and options["safe_mode"] == "True"
        assert options.get("shell") != "True"


def test_the_unpickler_creates_only_tensors():
    """`imagenet` reads a file of torch.save; objects other than tensors are rejected before they are created."""
    tree = ast.parse((Path(imagenet.__file__)).read_text(encoding="utf-8"))
    assert {name for name, _ in calls(tree) if name.startswith("pickle.")} == {"pickle.UnpicklingError"}
    told = pickle.dumps(os.system)
    with pytest.raises(pickle.UnpicklingError, match="it asks for posix.system"):
        imagenet._Tensors(io.BytesIO(told)).load()


def test_python_tags_in_yaml_are_rejected(tmp_path):
    made = tmp_path / "made"
    text = f"name: !!python/object/apply:os.system ['touch {made}']\ntraining: {{select: best}}\n"
    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UserError, match="config"):
        parse(Experiment, ["--config", str(tmp_path / "config.yaml")])
    with pytest.raises(UserError, match="config.yaml cannot be read"):
        export(str(tmp_path))
    assert not made.exists()


def test_damaged_settings_are_rejected_or_read_as_other_valid_ones(tmp_path):
    import dataclasses
    import json

    file = tmp_path / "a ü.yaml"
    whole = yaml.safe_dump(json.loads(json.dumps(dataclasses.asdict(Experiment())))).encode()
    refused = 0
    for content in damaged(whole, 40):
        file.write_bytes(content)
        try:
            assert isinstance(parse(Experiment, ["--config", str(file)])[1]["seed"], int)
        except UserError:
            refused += 1
    assert refused >= 10


def test_an_experiment_name_with_a_path_is_rejected_by_export(tmp_path):
    settings = {"name": "../../elsewhere", "training": {"select": "best"}, "models_dir": str(tmp_path / "m")}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(settings))
    tiny.network((32, 32, 1)).save(tmp_path / "best.keras")
    with pytest.raises(UserError, match="plain folder name"):
        export(str(tmp_path))
    assert not (tmp_path / "m").exists() and not list(tmp_path.parent.glob("elsewhere"))


def test_paths_in_lists_that_leave_the_source_are_not_read(tmp_path):
    """A case list's paths are never opened: films are found by their own headers, below the source."""
    import dicom_files
    import numpy as np

    from tfrespam.data.readers import cbis_ddsm, folder

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
    with pytest.raises(UserError, match="no image in .* has a mask of the same name"):
        folder.scan(source)


def test_file_names_in_another_encoding_are_read_and_written(small_export, tmp_path, capsys):
    """A name in another encoding than the system's, with brackets, spaces, colons and a quote."""
    import cv2
    import numpy as np

    from tfrespam.predict import predict

    source = tmp_path / "films [old] :x: it's"
    source.mkdir()
    name = os.fsdecode(b"M\xfcller 1.png")
    picture = cv2.imencode(".png", (np.arange(1600).reshape(40, 40) // 8).astype(np.uint8))[1].tobytes()
    (source / name).write_bytes(picture)
    try:
        cli.run(predict, [str(source), "--model", str(small_export), "--output", str(tmp_path / "out [new]")])
    except SystemExit as ended:
        raise AssertionError(capsys.readouterr().err) from ended
    assert "out [new]" in capsys.readouterr().out
    assert (tmp_path / "out [new]" / os.fsdecode(b"M\xfcller 1_mask.png")).exists()
    assert b"M\xfcller 1.png" in (tmp_path / "out [new]" / "predictions.csv").read_bytes()


def test_recorded_commands_can_be_run_in_a_shell(monkeypatch):
    from tfrespam.core import provenance

    typed = ["--output", "a b", "--name", "it's $HOME", "two\nlines", os.fsdecode(b"M\xfcller")]
    monkeypatch.setattr(sys, "argv", ["/x/tfrespam/predict.py", *typed])
    command = provenance.command()
    assert command.startswith("python -m tfrespam.predict --output 'a b'") and "\n" not in command
    start = command.removeprefix("python -m tfrespam.predict ").replace("\\xfc", "")
    shown = subprocess.run(["bash", "-c", f'printf "%s|" {start}'], capture_output=True, text=True).stdout
    assert shown == "|".join(typed[:-1]) + "|Mller|"


def test_results_do_not_depend_on_the_system_clock(prepared, data_dir, tmp_path, monkeypatch):
    """The wall clock changes by up to a year whenever it is read."""
    import random
    import time

    from tfrespam.data.loading import protocols
    from tfrespam.training.fit import fit

    parts, draw, real = protocols.splits(prepared.table, "official"), random.Random(0), time.time
    weights = []
    for name in ("plain", "jumping"):
        experiment = tiny.experiment(tmp_path, data_dir, training__epochs=1, training__tensorboard_curves=10)
        import keras

        keras.utils.set_random_seed(0)
        weights.append(fit(tiny.run_of(experiment, prepared, parts, tmp_path / name)).get_weights())
        monkeypatch.setattr(time, "time", lambda: real() + draw.uniform(-3e7, 3e7))
    assert all((one == other).all() for one, other in zip(*weights, strict=True))
