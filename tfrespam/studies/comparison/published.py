"""Table 1 of the ResPAM paper, and three readings of how its scores were averaged.

The seven rows give a Dice and a mIoU. For one set of pixel counts the foreground IoU is D / (2 - D), which holds
for none of the rows. Three readings are possible:

a. Both are means over images of the foreground's scores: mean IoU then exceeds D / (2 - D) by as much as images
   differ (Jensen's inequality).
b. Dice is the foreground's, mIoU the mean of the IoU of mass and of background: mIoU then depends on the coverage, the
   share of the pixels that is mass. Six rows imply nearly the same coverage, 0.39 to 0.47, as tight crops have.
c. Both are means of the two classes, on pooled counts: impossible for six rows.
"""

from typing import NamedTuple


class Published(NamedTuple):
    """Row of the paper's table 1, as shares of 1."""

    dice: float
    miou: float


TABLE1 = {  # in the paper's order
    "DS U-Net": Published(0.8270, 0.8570),
    "AU-Net": Published(0.8903, 0.8265),
    "U-Net": Published(0.9047, 0.8479),
    "Connected-U-Nets": Published(0.9066, 0.8581),
    "SegNet": Published(0.9052, 0.8530),
    "Connected-SegNets": Published(0.9286, 0.8734),
    "ResPAM U-Net": Published(0.9420, 0.9076),
}
LABELS = {
    "ds_unet": "DS U-Net",
    "au_net": "AU-Net",
    "unet": "U-Net",
    "connected_unets": "Connected-U-Nets",
    "segnet": "SegNet",
    "connected_segnets": "Connected-SegNets",
    "respam_unet": "ResPAM U-Net",
    "attention_unet": "Attention U-Net",  # another possible meaning of the table's AU-Net
    "resnet50_unet": "ResNet-50 U-Net",
    "backbone_unet": "U-Net on a backbone",
    "cgan": "cGAN",
    "fc_densenet_ms": "Multi-scale FC-DenseNet",
    "prior_knowledge_net": "Prior-knowledge stand-in",
    "attention_dense_unet": "Attention Dense-U-Net",
    "ru_net": "RU-Net",
}


def order(title: str) -> int:
    """Return the position in the paper's table; other networks follow in the order of the configuration."""
    return list(TABLE1).index(title) if title in TABLE1 else len(TABLE1)


def foreground_iou(dice: float) -> float:
    """Compute the IoU of the mass from its Dice, for one set of pixel counts: D / (2 - D).

    Examples:
        >>> round(foreground_iou(0.942), 4)  # the table says 0.9076
        0.8904
    """
    return dice / (2 - dice)


def two_class_miou(dice: float, coverage: float) -> float:
    """Compute the mean IoU of mass and background from the Dice of the mass, for one set of pixel counts.

    It assumes as many false positives as false negatives, so that TP = coverage D and FP + FN = 2 coverage (1 - D).
    """
    background = 1 - 2 * coverage * (1 - dice) / (1 - coverage * dice)
    return (foreground_iou(dice) + background) / 2


def implied_coverage(dice: float, miou: float) -> float:
    """Compute the coverage at which `two_class_miou` is `miou`; NaN if there is none."""
    missing = 1 - (2 * miou - foreground_iou(dice))  # 1 - IoU of the background
    both = 2 * (1 - dice) + dice * missing
    coverage = missing / both if both else float("nan")
    return coverage if 0 < coverage < 1 else float("nan")
