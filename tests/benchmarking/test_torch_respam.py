"""PyTorch implementation: equal outputs for equal weights."""

import keras
import numpy as np
import pytest

from tfrespam.losses import get_loss
from tfrespam.models import build_model

torch = pytest.importorskip("torch", reason="PyTorch (extra [benchmark]) is not installed")
WIDTH = 0.0625


def networks(**options):
    from tfrespam.studies.benchmarking.torch_respam import from_keras

    keras.utils.set_random_seed(0)
    model = build_model("respam_unet", (64, 64, 1), WIDTH, **options)
    rng = np.random.default_rng(1)
    for weight in model.weights:  # also weights initialised to 0 or 1: biases, batch normalisation
        if weight.path.split("/")[-1] != "kernel":
            weight.assign(np.asarray(weight) + rng.uniform(0.0, 0.3, weight.shape))
    return model, from_keras(model, WIDTH, **options)


@pytest.mark.parametrize("options", [{}, {"fusion": "add_and_restore", "normalization": "standardize", "reduction": 4},
                                     {"fusion": "concat"}])  # fmt: skip
def test_pytorch_gives_the_same_probabilities(options):
    model, module = networks(**options)
    images = np.random.default_rng(2).random((2, 64, 64, 1), np.float32)
    expected = model(images, training=False).numpy()
    with torch.inference_mode():
        found = module.eval()(torch.from_numpy(images).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    assert np.ptp(expected) > 1e-2
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_loss_matches_keras():
    from tfrespam.studies.benchmarking.torch_respam import loss

    rng = np.random.default_rng(0)
    mask, probability = (rng.random((3, 8, 8, 1)) > 0.5).astype("f"), rng.random((3, 8, 8, 1), np.float32)
    found = loss(*(torch.from_numpy(array).permute(0, 3, 1, 2) for array in (probability, mask)))
    assert float(found) == pytest.approx(float(get_loss("bce_dice")(mask, probability)), abs=1e-5)


def test_a_different_graph_is_rejected():
    from tfrespam.studies.benchmarking.torch_respam import from_keras

    with pytest.raises(KeyError):
        from_keras(build_model("unet", (64, 64, 1), WIDTH), WIDTH)
