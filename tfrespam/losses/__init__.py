"""Segmentation losses, as Keras classes and by name; each image has the same weight.

| name | class | loss of one image |
|---|---|---|
| bce | `BCE` | mean binary cross-entropy |
| dice | `Dice` | 1 - soft Dice |
| bce_dice | `BCEDice` | bce + dice |
| iou | `IoU` | 1 - soft IoU |
| dice_iou | `DiceIoU` | 0.4 dice + 0.6 iou |
| weighted_bce | `WeightedBCE` | bce with weight 0.8 for mass, 0.2 for background |
| log_dice | `LogDice` | (-ln soft Dice)^0.3 |
| log_dice_outline | `LogDiceOutline` | log_dice with the outline of the mask as target |
| focal | `Focal` | alpha_t (1 - p_t)^2 cross-entropy |
| tversky | `Tversky` | 1 - Tversky index, false positives 0.3, false negatives 0.7 |
| boundary | `Boundary` | bce, weight 5 within 3 pixels of the outline |
| projection | `Projection` | 1 - Dice of rows and columns with the mask's box |

The loss `box` of the stage `train`, for boxes instead of masks, is `Projection` plus `Affinity`.
"""

from tfrespam.losses.affinity import Affinity
from tfrespam.losses.cross_entropy import BCE, BCEDice, Boundary, Focal, WeightedBCE
from tfrespam.losses.functional import bounding_box, outline
from tfrespam.losses.image_loss import ImageLoss, check_numbers
from tfrespam.losses.overlap import Dice, DiceIoU, IoU, LogDice, LogDiceOutline, Projection, Tversky
from tfrespam.losses.registry import PerImageLoss, get_loss, loss_names

__all__ = [
    "Affinity", "BCE", "BCEDice", "Boundary", "Dice", "DiceIoU", "Focal", "ImageLoss", "IoU", "LogDice",
    "LogDiceOutline", "PerImageLoss", "Projection", "Tversky", "WeightedBCE", "bounding_box", "check_numbers",
    "get_loss", "loss_names", "outline",
]  # fmt: skip
