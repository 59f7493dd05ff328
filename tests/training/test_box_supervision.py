"""Box supervision: inputs of the losses, and training with `fit`."""

import keras
import numpy as np
import pytest
import tiny
from keras import layers

from tfrespam.config_checks import check
from tfrespam.core.errors import UserError
from tfrespam.losses import bounding_box, get_loss
from tfrespam.losses.affinity import Affinity
from tfrespam.metrics import default_metrics
from tfrespam.training.fit import compiled
from tfrespam.training.objectives.box_supervision import BoxSupervision

RNG = np.random.default_rng(0)
IMAGES = RNG.random((4, 16, 16, 1)).astype("float32")
MASKS = np.zeros((4, 16, 16, 1), "float32")
MASKS[:, 3:12, 4:10] = RNG.random((4, 9, 6, 1)) < 0.6
MASKS[:, 3:12, 4] = MASKS[:, 3:12, 9] = MASKS[:, 3, 4:10] = MASKS[:, 11, 4:10] = 1  # all masks have this bounding box


def supervised(**options):
    keras.utils.set_random_seed(0)
    image = keras.Input((16, 16, 1), name="image")
    network = keras.Model(image, layers.Conv2D(1, 3, padding="same", activation="sigmoid", name="probability")(image))
    model = BoxSupervision(network, 5, **options)
    model.compile(keras.optimizers.Adam(0.01), get_loss("projection", least_fill=0.6), metrics=default_metrics(),
                  run_eagerly=True)  # fmt: skip
    return model


def test_loss_is_the_projection_plus_the_growing_affinity():
    model = supervised(affinity=2.0, warmup_epochs=2, contrast=0.7, distance=3)
    probability = model.network(IMAGES)
    projection = float(get_loss("projection", least_fill=0.6)(MASKS, probability))
    pairs = float(Affinity(0.7, 3)(np.concatenate([bounding_box(MASKS), IMAGES], -1), probability))
    for steps, strength in ((0, 0.0), (5, 1.0), (10, 2.0), (40, 2.0)):
        model.optimizer.iterations.assign(steps)
        loss = float(model.compute_loss(IMAGES, MASKS, probability))
        assert loss == pytest.approx(projection + strength * pairs, rel=1e-5)


def test_masks_with_the_same_box_give_the_same_weights():
    """The loss depends only on the bounding box of a mask."""
    trained = []
    for masks in (MASKS, np.array(bounding_box(MASKS))):
        model = supervised()
        model.fit(IMAGES, masks, batch_size=2, shuffle=False, verbose=0)
        trained.append(model.get_weights())
    for one, other in zip(*trained, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any(np.any(a != b) for a, b in zip(trained[0], supervised().get_weights(), strict=True))


def test_metrics_use_the_mask():
    model = supervised()
    alone = keras.Model(model.network.input, model.network.output)
    alone.compile(loss=get_loss("dice"), metrics=default_metrics())
    found, expected = (each.evaluate(IMAGES, MASKS, verbose=0, return_dict=True) for each in (model, alone))
    assert {name: found[name] for name in ("dice", "iou")} == {name: expected[name] for name in ("dice", "iou")}


def test_the_shape_in_the_image_has_the_lowest_loss():
    y, x = np.mgrid[:48, :48] - 23.5
    shapes = {"disk": np.hypot(y, x) < 16, "box": np.maximum(abs(y), abs(x)) < 16, "diamond": abs(y) + abs(x) < 16,
              "cross": (np.minimum(abs(y), abs(x)) < 3) & (np.maximum(abs(y), abs(x)) < 16),
              "small": np.hypot(y, x) < 12, "shifted": np.hypot(y, x - 4) < 16, "nothing": np.zeros(y.shape, bool)}
    picture = shapes["disk"] * 0.5 + 0.3 * RNG.random(y.shape)
    box = shapes["box"][None, ..., None].astype("float32")
    target = np.concatenate([box, picture[None, ..., None].astype("float32")], -1)
    model, costs = supervised(contrast=0.3), {}
    for name, shape in shapes.items():
        probability = np.clip(shape, 0.02, 0.98)[None, ..., None].astype("float32")
        costs[name] = float(get_loss("projection")(box, probability)) + float(model.affinity_loss(target, probability))
    assert min(costs, key=costs.get) == "disk", costs


def test_train_supports_the_box_loss(prepared, data_dir, tmp_path):
    experiment = tiny.experiment(tmp_path, data_dir, training__loss="box", augment__rotation_degrees=0.0,
                                 training__loss_options={"affinity": 0.5, "most_fill": 0.8})  # fmt: skip
    check(experiment)
    model = compiled(experiment, 3)
    assert isinstance(model, BoxSupervision) and model.affinity == 0.5 and model.warmup_steps == 3


@pytest.mark.parametrize(("settings", "message"), [
    ({"training__loss_options": {"gamma": 2}}, "affinity, warmup_epochs.*Received: gamma"),
    ({"training__loss_options": {"distance": 0}}, "distance .* integer number of pixels from 1 to 31. Received: 0"),
    ({"training__loss_options": {"distance": 40}}, "from 1 to 31. Received: 40"),
    ({"training__loss_options": {"distance": 1.5}}, "from 1 to 31. Received: 1.5"),
    ({"training__loss_options": {"contrast": "abc"}}, "must be numbers of 0 or more. Received: .*abc"),
    ({"training__loss_options": {"affinity": -3}}, "must be numbers of 0 or more. Received: .*-3"),
    ({"model__options": {"side_outputs": True}}, "without auxiliary outputs.*boundary1, mask1"),
])  # fmt: skip
def test_invalid_options_and_networks_are_rejected(data_dir, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        compiled(tiny.experiment(tmp_path, data_dir, training__loss="box", **settings), 3)


@pytest.mark.parametrize("loss", ["box", "projection"])
def test_rotation_by_small_angles_is_rejected(data_dir, tmp_path, loss):
    turned = tiny.experiment(tmp_path, data_dir, training__loss=loss)
    with pytest.raises(UserError, match="rotation_degrees` 0.*Flips and quarter turns are possible.*Received: 10.0"):
        check(turned)
    check(tiny.experiment(tmp_path, data_dir, training__loss=loss, augment__rotation_degrees=0.0,
                          augment__quarter_turns=True))  # fmt: skip
