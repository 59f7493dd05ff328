"""Dense-CRF post-processing: align the mask with grey-value edges (Kraehenbuehl and Koltun, 2011, arXiv 1210.5644).

The constants are those of DS U-Net's code (Ravitha Rajalakshmi et al., 2021, doi 10.1002/ima.22516), and the library is
a maintained fork of the one it uses: `pydensecrf2` (MIT), the extra `crf`. It is distributed as source, so installing
it needs a C++ compiler. The published grey-value standard deviation of 0.001 connects only pixels of practically equal
grey: with it, the CRF smooths the mask and adds 0.1 to every probability, and hardly does more.
"""

import dataclasses

import numpy as np

from tfrespam.core.errors import UserError, extra

_LEAST = 1e-6


@dataclasses.dataclass(frozen=True)
class DenseCRF:
    """Mean-field inference of a fully connected CRF with two classes.

    Args:
        steps: Number of iterations.
        raised: Added to the probabilities before inference, then clipped to (0, 1).
        smooth_reach: Standard deviation, in pixels, of the smoothness kernel, which depends only on positions.
        reach, grey_reach: Standard deviations of the appearance kernel, which also depends on grey values: in pixels,
            and in grey values of [0, 1].
        smooth_strength, strength: Weights of the smoothness and the appearance kernel.
    """

    steps: int = 5
    raised: float = 0.1
    smooth_reach: float = 3.0
    reach: float = 7.0
    grey_reach: float = 0.001
    smooth_strength: float = 1.0
    strength: float = 1.0

    def __call__(self, image: np.ndarray, probability: np.ndarray) -> np.ndarray:
        """Return the probability (H, W) float32 after inference.

        Args:
            image: (H, W), grey values in [0, 1].
            probability: (H, W) in [0, 1].

        Raises:
            UserError: The library is not installed.
        """
        library, utils = _library()
        height, width = probability.shape
        mass = np.clip(probability.astype(np.float32) + self.raised, _LEAST, 1 - _LEAST)
        field = library.DenseCRF2D(width, height, 2)
        field.setUnaryEnergy(np.ascontiguousarray(-np.log(np.stack([1 - mass, mass]).reshape(2, -1))))
        smooth = utils.create_pairwise_gaussian(sdims=(self.smooth_reach,) * 2, shape=(height, width))
        edges = utils.create_pairwise_bilateral(sdims=(self.reach,) * 2, schan=(self.grey_reach,),
                                                img=image[..., None].astype(np.float32), chdim=2)  # fmt: skip
        field.addPairwiseEnergy(smooth, compat=self.smooth_strength)
        field.addPairwiseEnergy(edges, compat=self.strength)
        return np.array(field.inference(self.steps), np.float32).reshape(2, height, width)[1]


class Refined:
    """Exported model whose probabilities are refined by a dense CRF.

    Args:
        exported: `tfrespam.serving.inference.saved_model.ExportedModel`.
        crf: The dense CRF.
    """

    def __init__(self, exported, crf: DenseCRF):
        _library()  # report a missing library before work starts
        self.exported, self.crf = exported, crf
        self.metadata = {**exported.metadata, "model": f"{exported.metadata.get('model', '')} + dense CRF"}

    def predict_images(self, images: np.ndarray) -> np.ndarray:
        """Predict as `ExportedModel.predict_images` does, from (N, H, W, 1) to (N, H, W, 1) float32, and refine."""
        probabilities = self.exported.predict_images(images)
        pairs = zip(np.asarray(images)[..., 0], probabilities[..., 0], strict=True)
        return np.stack([self.crf(image, probability) for image, probability in pairs])[..., None]

    def scan_images(self, images: np.ndarray) -> np.ndarray:
        """Raise UserError: the CRF's kernels are in pixels of the network's input, and a scan has several scales."""
        raise UserError("`postprocessing` dense_crf refines crops, or films of a network that was trained on films. "
                        "This model was trained on crops and scans whole films: evaluate it on crops")


def _library():
    try:
        from pydensecrf import densecrf, utils
    except ImportError:
        raise UserError(f"dense-CRF post-processing needs pydensecrf2, {extra('crf')}. It is built with a C++ "
                        "compiler") from None  # fmt: skip
    return densecrf, utils
