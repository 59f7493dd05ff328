import dataclasses
from pathlib import Path

import pytest
import yaml

from tfrespam import cli
from tfrespam.config import DataConfig, Experiment, check
from tfrespam.errors import UserError
from tfrespam.train import EMBEDDED, run_folder

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def parsed(*args, defaults=None):
    return Experiment(**cli.parse(Experiment, args, "x", defaults)[1])


def test_without_options_all_is_as_documented(monkeypatch):
    monkeypatch.delenv("TFRESPAM_DATA_DIR", raising=False)
    assert parsed() == Experiment()
    assert parsed().data_dir == "datasets" and parsed().training.epochs == 100 and parsed().training.batch_size == 8
    assert parsed().training.learning_rate == 1e-3 and parsed().data.image_size == 224
    check(Experiment())


def test_the_environment_names_the_home_of_the_data(monkeypatch):
    monkeypatch.setenv("TFRESPAM_DATA_DIR", "/somewhere")
    assert parsed().data_dir == Experiment().data_dir == "/somewhere"
    assert parsed("--data_dir", "else").data_dir == "else"


def test_dotted_names_reach_every_level():
    made = parsed("--data.fold=3", "--training.ema", "0.9",
                  "--model.options", "{fusion: concat, modules: [3, 4, 6, 3]}",
                  "--data.exclude_films", "[a, b]", "--model.width=0.125", "--seed", "7")  # fmt: skip
    assert made.data.fold == 3 and made.training.ema == 0.9 and made.model.width == 0.125 and made.seed == 7
    assert made.model.options == {"fusion": "concat", "modules": [3, 4, 6, 3]}
    assert made.data.exclude_films == ("a", "b")


def test_the_embedded_default_is_a_valid_experiment():
    made = parsed(defaults=EMBEDDED)
    check(made)
    assert made.name == made.data.dataset == "phantom" and made.model.options["normalization"] == "standardize"
    assert parsed("--training.epochs", "3", defaults=EMBEDDED).training.epochs == 3


def test_a_written_experiment_is_read_back_the_same(tmp_path):
    made = dataclasses.replace(Experiment(name="ä b", seed=4), data=dataclasses.replace(
        Experiment().data, exclude_films=("P_1", "P_2"), fold=2, context=1.2))  # fmt: skip
    made.model.options = {"modules": [3, 4, 6, 3], "spatial_bias": True}
    settings = yaml.safe_dump({**dataclasses.asdict(made), "data": {**dataclasses.asdict(made.data),
                                                                    "exclude_films": list(made.data.exclude_films)}})
    (tmp_path / "config.yaml").write_text(settings)
    again = parsed("--config", str(tmp_path / "config.yaml"))
    assert again == made and run_folder(again) == run_folder(made)


@pytest.mark.parametrize("changes", [
    {"data.context": 0.5}, {"data.context": 0.0}, {"data.image_size": 100}, {"data.image_size": 0},
    {"data.image_size": 16}, {"data.fold": 5}, {"data.fold": -1}, {"augment.rotation_degrees": -1.0},
    {"augment.rotation_degrees": 181.0}, {"augment.scale": -0.1}, {"augment.shift": 1.0}, {"augment.shift": -0.1},
    {"augment.gamma": -0.1}, {"augment.contrast": 1.0}, {"augment.noise": -0.1}, {"model.width": 0.0},
    {"model.width": -1.0}, {"training.epochs": 0}, {"training.batch_size": 0}, {"training.batch_size": -8},
    {"training.learning_rate": 0.0}, {"training.learning_rate": -1e-3}, {"training.warmup_epochs": -1.0},
    {"training.weight_decay": -0.1}, {"training.clip_norm": -1.0}, {"training.ema": 1.0}, {"training.ema": -0.1},
    {"training.steps_per_execution": 0}, {"training.tensorboard_images": -1}, {"name": ""}, {"name": "a/b"},
    {"name": ".hidden"},
])  # fmt: skip
def test_values_that_no_training_could_use_are_named(changes):
    (field, value), = changes.items()
    made = Experiment()
    *parents, last = field.split(".")
    owner = getattr(made, parents[0]) if parents else made
    setattr(owner, last, value)
    with pytest.raises(UserError) as error:
        check(made)
    assert str(error.value).startswith(f"--{field} must be ") and str(error.value).endswith(f"Received: {value!r}")


def test_settings_that_contradict_each_other_are_named():
    made = Experiment()
    made.training.weight_decay = 0.01
    with pytest.raises(UserError, match="weight_decay needs --training.optimizer adamw.*0.01 with 'adam'"):
        check(made)
    made.training.optimizer = "adamw"
    check(made)
    made.training.warmup_epochs = 100
    with pytest.raises(UserError, match="warmup_epochs must be below --training.epochs. Received: 100 of 100"):
        check(made)
    made.training.warmup_epochs, made.training.jit = 5, "on"
    with pytest.raises(UserError, match="jit on needs --training.deterministic false"):
        check(made)
    made.training.deterministic = False
    check(made)


@pytest.mark.parametrize(("args", "named"), [
    (["--training.learningrate", "1"], "learningrate"),
    (["--training.epoch", "1"], "--training.epoch"),
    (["--training.learning_rate", "fast"], "learning_rate"),
    (["--training.precision", "float64"], "precision"),
    (["--training.epochs", "2.5"], "epochs"),
    (["--data.protocol", "random"], "protocol"),
    (["--training.deterministic", "perhaps"], "deterministic"),
])  # fmt: skip
def test_unknown_options_and_wrong_types_are_told(args, named):
    with pytest.raises(UserError, match=named):
        parsed(*args)


@pytest.mark.parametrize("text", [
    "training: {lr: 0.1}", "traning: {epochs: 3}", "training: 3", "training:", "data: roi", "model: {options: 3}",
    "- a\n- b", "a: [1",
])  # fmt: skip
def test_files_with_unknown_keys_or_no_sense_are_refused(tmp_path, text):
    (tmp_path / "a.yaml").write_text(text)
    with pytest.raises(UserError, match="--help lists all options|must hold options of its own"):
        parsed("--config", str(tmp_path / "a.yaml"))


@pytest.mark.parametrize("text", ["data: {fold: }", "training: {epochs: }", "model: {options: }", "name: x\nseed:",
                                  "name: x\ndata:"])  # fmt: skip
def test_keys_without_a_value_are_told(tmp_path, text):
    (tmp_path / "e.yaml").write_text(text)
    with pytest.raises(UserError, match="has no value|must hold options of its own"):
        parsed("--config", str(tmp_path / "e.yaml"))


def test_data_of_another_version_are_read_as_far_as_they_are_known():
    """metadata.json has lists for tuples, and may have settings that only a later version knows."""
    written = {"dataset": "cbis", "exclude_films": ["P_1_LEFT_CC"], "of_a_later_version": 3}
    assert DataConfig.of(written) == DataConfig("cbis", exclude_films=("P_1_LEFT_CC",))
    assert DataConfig.of({}) == DataConfig()
