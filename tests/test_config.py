import dataclasses

import pytest
import yaml

from tfrespam.config import DataConfig, Experiment
from tfrespam.config_checks import check
from tfrespam.core.arguments import parse
from tfrespam.core.errors import UserError
from tfrespam.train import EMBEDDED
from tfrespam.training.runs import run_folder


def parsed(*args, defaults=None):
    return Experiment(**parse(Experiment, args, "x", defaults)[1])


def test_defaults_without_options(monkeypatch):
    monkeypatch.delenv("TFRESPAM_DATA_DIR", raising=False)
    assert parsed() == Experiment()
    assert parsed().data_dir == "datasets" and parsed().training.epochs == 100 and parsed().training.batch_size == 8
    assert parsed().training.learning_rate == 1e-3 and parsed().data.image_size == 224
    check(Experiment())


def test_environment_variable_sets_the_data_folder(monkeypatch):
    monkeypatch.setenv("TFRESPAM_DATA_DIR", "/somewhere")
    assert parsed().data_dir == Experiment().data_dir == "/somewhere"
    assert parsed("--data_dir", "else").data_dir == "else"


def test_dotted_options_set_nested_values():
    made = parsed("--data.fold=3", "--training.ema", "0.9",
                  "--model.options", "{fusion: concat, modules: [3, 4, 6, 3]}",
                  "--data.exclude_films", "[a, b]", "--model.width=0.125", "--seed", "7")  # fmt: skip
    assert made.data.fold == 3 and made.training.ema == 0.9 and made.model.width == 0.125 and made.seed == 7
    assert made.model.options == {"fusion": "concat", "modules": [3, 4, 6, 3]}
    assert made.data.exclude_films == ("a", "b")


def test_embedded_default_is_a_valid_experiment():
    made = parsed(defaults=EMBEDDED)
    check(made)
    assert made.name == made.data.dataset == "phantom" and made.model.options["normalization"] == "standardize"
    assert parsed("--training.epochs", "3", defaults=EMBEDDED).training.epochs == 3


def test_a_written_experiment_is_read_back_unchanged(tmp_path):
    made = dataclasses.replace(Experiment(name="ä b", seed=4), data=dataclasses.replace(
        Experiment().data, exclude_films=("P_1", "P_2"), fold=2, context=1.2))  # fmt: skip
    made.model.options = {"modules": [3, 4, 6, 3], "spatial_bias": True}
    settings = yaml.safe_dump({**dataclasses.asdict(made), "data": {**dataclasses.asdict(made.data),
                                                                    "exclude_films": list(made.data.exclude_films)}})
    (tmp_path / "config.yaml").write_text(settings)
    again = parsed("--config", str(tmp_path / "config.yaml"))
    assert again == made and run_folder(again) == run_folder(made)


@pytest.mark.parametrize(("args", "named"), [
    (["--training.learningrate", "1"], "learningrate"),
    (["--training.epoch", "1"], "--training.epoch"),
    (["--training.learning_rate", "fast"], "learning_rate"),
    (["--training.precision", "float64"], "precision"),
    (["--training.epochs", "2.5"], "epochs"),
    (["--data.protocol", "random"], "protocol"),
    (["--training.deterministic", "perhaps"], "deterministic"),
])  # fmt: skip
def test_unknown_options_and_wrong_types_are_reported(args, named):
    with pytest.raises(UserError, match=named):
        parsed(*args)


@pytest.mark.parametrize("text", [
    "training: {lr: 0.1}", "traning: {epochs: 3}", "training: 3", "training:", "data: roi", "model: {options: 3}",
    "- a\n- b", "a: [1",
])  # fmt: skip
def test_files_with_unknown_keys_or_wrong_structure_are_rejected(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match="--help lists all options|must hold nested options"):
        parsed("--config", str(tmp_path / "a.yaml"))


@pytest.mark.parametrize("text", ["data: {fold: }", "training: {epochs: }", "model: {options: }", "name: x\nseed:",
                                  "name: x\ndata:"])  # fmt: skip
def test_keys_without_a_value_are_reported(tmp_path, text):
    (tmp_path / "e.yaml").write_text(text)
    with pytest.raises(UserError, match="has no value|must hold nested options"):
        parsed("--config", str(tmp_path / "e.yaml"))


def test_unknown_keys_of_data_from_other_versions_are_ignored():
    """metadata.json has lists for tuples, and may have settings that only a later version knows."""
    written = {"dataset": "cbis", "exclude_films": ["P_1_LEFT_CC"], "of_a_later_version": 3}
    assert DataConfig.of(written) == DataConfig("cbis", exclude_films=("P_1_LEFT_CC",))
    assert DataConfig.of({}) == DataConfig()


def test_recorded_files_without_draw_use_the_joint_draw(tmp_path):
    """A config.yaml recorded before `draw` existed contains all eight settings of that time; users' files seldom do."""
    recorded = {"rotation_degrees": 10.0, "flips": True, "quarter_turns": False, "scale": 0.0, "shift": 0.0,
                "gamma": 0.0, "contrast": 0.0, "noise": 0.0}  # fmt: skip
    for augment, draw in ((recorded, "joint"), ({"flips": True}, "separate"), ({}, "separate"),
                          (recorded | {"draw": "separate"}, "separate")):  # fmt: skip
        file = tmp_path / "config.yaml"
        file.write_text(yaml.safe_dump({"name": "old", "augment": augment}))
        assert parse(Experiment, ["--config", str(file)])[1]["augment"].draw == draw
        assert parse(Experiment, [f"--config={file}", "--augment.draw", "joint"])[1]["augment"].draw == "joint"
    assert parse(Experiment, [])[1]["augment"].draw == "separate"
