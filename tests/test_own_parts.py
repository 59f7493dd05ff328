"""User-defined networks, losses and augmentations."""

import dataclasses
import json
from importlib import metadata

import numpy as np
import pytest
import tiny

import tfrespam as tr
from tfrespam.config import ModelConfig
from tfrespam.core import own_parts
from tfrespam.core.errors import UserError
from tfrespam.studies.comparison.plan import Network
from tfrespam.training.objectives.own_losses import make_loss
from tfrespam.training.runs import TrainingRun
from tfrespam.workflows.training import train

CODE = '''
import keras
from keras import layers, ops

import tfrespam as tr


@keras.saving.register_keras_serializable("my_parts")
class Halved(layers.Layer):
    def call(self, inputs):
        return inputs / 2


def small(input_shape, width=1.0, *, filters=4):
    image = keras.Input(input_shape, name="image")
    features = layers.ReLU()(layers.Conv2D(round(filters * width), 3, padding="same")(Halved()(image)))
    return keras.Model(image, layers.Conv2D(1, 1, activation="sigmoid", dtype="float32", name="probability")(features))


def flat(input_shape, width=1.0):
    image = keras.Input(input_shape)
    return keras.Model(image, layers.Flatten()(image))


class Squared(tr.losses.ImageLoss):
    """Mean squared error."""

    def __init__(self, factor=1.0, name="squared", **kwargs):
        super().__init__(name, {"factor": factor}, **kwargs)

    def value(self, mask, probability):
        return self.options["factor"] * ops.mean(ops.square(mask - probability), (1, 2, 3))


class Dimmed(tr.data.Intensity):
    def apply(self, drawn, images):
        return images * (0.9 + 0.1 * drawn[:, :, None, None])
'''


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Make a working folder with a user module; its name is new for each test, because Python caches modules."""
    name = f"parts_{abs(hash(str(tmp_path)))}"
    (tmp_path / f"{name}.py").write_text(CODE.replace('"my_parts"', f'"{name}"'))
    monkeypatch.chdir(tmp_path)
    return name


def test_a_user_defined_network_accepts_its_options(parts):
    model = tr.build_model(f"{parts}:small", (16, 24, 1), width=2.0, filters=3)
    assert model.output_shape == (None, 16, 24, 1) and model.layers[2].filters == 6
    with pytest.raises(ValueError, match=f"Options of '{parts}:small' are filters. Received: depth"):
        tr.build_model(f"{parts}:small", (16, 16, 1), depth=2)
    with pytest.raises(UserError, match=r"shape \(None, 16, 16, 1\). Received: Functional with \(None, 256\)"):
        tr.build_model(f"{parts}:flat", (16, 16, 1))


@pytest.mark.parametrize(("name", "message"), [
    ("no_module:small", "cannot be imported: ModuleNotFoundError"), ("{}:none", "no callable 'none'"),
    ("{}:keras", "no callable 'keras'"),
])  # fmt: skip
def test_import_errors_are_reported(parts, name, message):
    with pytest.raises(UserError, match=f"`model.name` .*{message}"):
        tr.build_model(name.format(parts), (16, 16, 1))
    with pytest.raises(ValueError, match="or package.module:function. Received: name='unet9'"):
        tr.build_model("unet9", (16, 16, 1))


def test_a_user_defined_loss_accepts_its_options(parts):
    loss = make_loss(f"{parts}:Squared", {"factor": 2.0})
    mask = np.ones((2, 4, 4, 1), "float32")
    assert float(loss(mask, mask * 0.5)) == pytest.approx(0.5)
    with pytest.raises(UserError, match="cannot be created with the options {'alpha': 1}"):
        make_loss(f"{parts}:Squared", {"alpha": 1})
    with pytest.raises(UserError, match="gives Functional|must name a subclass|cannot be made"):
        make_loss(f"{parts}:Halved", {})
    with pytest.raises(ValueError, match="Unknown loss"):
        make_loss("squared", {})
    assert isinstance(make_loss("tversky", {"misses": 0.6}), tr.losses.Tversky)


def test_networks_and_losses_are_found_by_entry_point(parts, monkeypatch):
    def entry_points(group, name):
        known = {("tfrespam.models", "mine"): f"{parts}:small", ("tfrespam.losses", "mine"): f"{parts}:Squared"}
        return [metadata.EntryPoint(name, known[group, name], group)] if (group, name) in known else []

    monkeypatch.setattr(own_parts.importlib.metadata, "entry_points", entry_points)
    mine, same = (tr.build_model(name, (16, 16, 1)) for name in ("mine", f"{parts}:small"))
    assert mine.count_params() == same.count_params()
    assert make_loss("mine", {}).name == "squared"


def test_folder_names_of_user_defined_networks_have_no_special_characters():
    assert Network("my.nets:Small").key == "my_nets_small" and Network("unet").key == "unet"
    assert Network("my.nets:Small", label="Mine 2").key == "mine_2"


def test_user_defined_network_loss_and_augmentation_can_be_trained(parts, data_dir, tmp_path):
    own = {"training__loss": f"{parts}:Squared", "training__loss_options": {"factor": 2.0}}
    experiment = tiny.experiment(tmp_path, data_dir, model__name=f"{parts}:small", augment__extra=(f"{parts}:Dimmed",),
                                 **own)  # fmt: skip
    run = train(experiment)
    assert json.loads((run.folder / "summary.json").read_text())["model"] == f"{parts}:small"
    assert TrainingRun.open(run.folder).network().count_params() > 0
    wrong = dataclasses.replace(experiment, model=ModelConfig("no_module:small"))
    with pytest.raises(UserError, match="`model.name` names no_module:small"):
        train(wrong)
