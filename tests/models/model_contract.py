"""Contract test for the networks of tfrespam.models."""

import contextlib

import keras
import numpy as np
from keras.src.backend.common import global_state

import tfrespam


@contextlib.contextmanager
def without_values():
    """Build networks without allocating their weights.

    Keras would allocate them, gigabytes in all, when it next traces any layer, so they are removed from its list.
    """
    try:
        with keras.StatelessScope(initialize_variables=False):
            yield
    finally:
        global_state.set_global_attribute("uninitialized_variables", [])


def trainable_parameters(model):
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def design(name, channels=3, size=(224, 224), **options):
    """Build the network `name` at width 1 symbolically: shapes and names without values of weights, which is fast."""
    with without_values():
        return tfrespam.build_model(name, (*size, channels), **options)


def tiny(name, size=32, **options):
    """Build the network `name` at a width that trains within a second."""
    keras.utils.set_random_seed(0)
    return tfrespam.build_model(name, (size, size, 1), 1 / 16, **options)


def disk_images(count=2, size=32):
    """Return images of noise with a bright disk, and masks of the disk."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    centres = rng.uniform(size / 3, 2 * size / 3, (count, 2, 1, 1))
    masks = np.hypot(y - centres[:, 0], x - centres[:, 1])[..., None] < size / 4
    return (0.3 * rng.random((count, size, size, 1)) + 0.5 * masks).astype("float32"), masks.astype("float32")


def channel_trace(model, names):
    """Return (side, channels) of the outputs of the layers `names`."""
    return [(shape[1], shape[3]) for shape in (model.get_layer(name).output.shape for name in names)]


def check_output(model):
    """Check for one input `image` and an output `probability` of its size, float32, in [0, 1]."""
    assert [tensor.name for tensor in model.inputs] == ["image"]
    assert "probability" in model.output_names
    height, width = model.input_shape[1:3]
    probability = main_output(model, disk_images(2, height)[0])
    assert probability.shape == (2, height, width, 1)
    assert probability.dtype == "float32"
    assert 0 <= np.min(probability) <= np.max(probability) <= 1


def main_output(model, images):
    outputs = model(images)
    return outputs["probability"] if isinstance(outputs, dict) else outputs


def check_training_step(model):
    """Check that one step keeps all weights finite and changes them, except a few behind ReLUs that are inactive here.
    """
    images, masks = disk_images(2, model.input_shape[1])
    targets = dict.fromkeys(model.output_names, masks) if isinstance(model.output, dict) else masks
    loss = ({name: "binary_crossentropy" if name == "probability" else None for name in model.output_names}
            if isinstance(model.output, dict) else "binary_crossentropy")
    before = [np.array(weight) for weight in model.trainable_weights]
    # under mixed_float16 the first steps overflow at Keras' initial loss scale and are skipped
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(1e-3), initial_scale=1.0)
    model.compile(optimizer=optimizer, loss=loss, run_eagerly=True)  # tracing would take ten times as long as the step
    assert np.isfinite(model.train_on_batch(images, targets))
    moved = [np.any(np.array(w) != old) for w, old in zip(model.trainable_weights, before, strict=True)]
    assert np.mean(moved) > 0.8
    assert all(np.all(np.isfinite(weight)) for weight in model.weights)


def check_saved(model, tmp_path):
    """Check that a saved and loaded model has the same weights, names and predictions."""
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras", compile=False)
    images = disk_images(1, model.input_shape[1])[0]
    assert loaded.output_names == model.output_names
    assert [weight.path for weight in loaded.weights] == [weight.path for weight in model.weights]
    np.testing.assert_allclose(main_output(loaded, images), main_output(model, images), atol=1e-6)


def check_exported(model, tmp_path):
    """Check that the SavedModel has only allowed operations and returns the model's probabilities."""
    import cv2
    from served_ops import check_ops

    from tfrespam.serving.inference import saved_model
    from tfrespam.workflows.exporting import export_model

    images = np.round(255 * disk_images(2, model.input_shape[1])[0]) / 255
    expected = np.array(main_output(model, images))
    path = export_model(model, tmp_path, model.name, {})
    check_ops(path)
    exported = saved_model.load(path)
    np.testing.assert_allclose(exported.predict_images(images), expected, rtol=0, atol=1e-6)
    files = [cv2.imencode(".png", np.round(255 * image).astype(np.uint8))[1].tobytes() for image in images]
    for answer, probability in zip(exported.predict_bytes(files), expected, strict=True):
        found = cv2.imdecode(np.frombuffer(answer.probability_png, np.uint8), cv2.IMREAD_UNCHANGED)
        np.testing.assert_allclose(found / 65535, probability[..., 0], rtol=0, atol=1e-5)
        mask = cv2.imdecode(np.frombuffer(answer.mask_png, np.uint8), cv2.IMREAD_UNCHANGED) > 0
        assert np.mean(mask != (probability[..., 0] >= 0.5)) < 0.01  # a pixel may be exactly at the threshold


def check_model(name, tmp_path, **options):
    """Run all checks of this module on a tiny network."""
    model = tiny(name, **options)
    check_output(model)
    check_training_step(model)
    check_saved(model, tmp_path)
