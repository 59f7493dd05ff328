"""Check an experiment's settings: ranges, and combinations that contradict each other."""

from tfrespam.config import BOX_LOSSES, AugmentConfig, Experiment
from tfrespam.core.errors import UserError
from tfrespam.core.files import is_plain_name

# field -> (test, what is expected)
_POSITIVE = (lambda value: value > 0, "a number above 0")
_SHARE = (lambda value: 0 <= value < 1, "a number from 0 to below 1")
_NOT_NEGATIVE = (lambda value: value >= 0, "0 or more")
_RULES = {
    "name": (is_plain_name, "a plain folder name"),
    "seed": (lambda v: 0 <= v < 2**32, "a whole number from 0 to below 2^32"),
    "data.context": (lambda v: v >= 1, "a number of at least 1"),
    "data.image_size": (lambda v: v >= 32 and v % 32 == 0, "a multiple of 32, at least 32"),
    "data.image_width": (lambda v: v >= 0 and v % 32 == 0, "0 or a multiple of 32"),
    "data.fold": (lambda v: 0 <= v <= 4, "a fold from 0 to 4"),
    "augment.rotation_degrees": (lambda v: 0 <= v <= 180, "an angle from 0 to 180"),
    "data.absent_films": _NOT_NEGATIVE,
    "augment.scale": _NOT_NEGATIVE, "augment.shift": _SHARE, "augment.gamma": _NOT_NEGATIVE,
    "augment.contrast": _SHARE, "augment.noise": _NOT_NEGATIVE,
    "augment.recrop": (lambda v: v == 0 or 1 < v <= 4, "0, or a number above 1 up to 4"),
    "augment.context_range": (lambda v: len(v) in (0, 2) and sorted(v) == list(v) and all(1 <= n <= 4 for n in v),
                              "two contexts from 1 to 4, the smaller one first, as in [1.0,2.4]"),
    "augment.off_centre": (lambda v: 0 <= v < 0.5, "a number from 0 to below 0.5"),
    "model.width": _POSITIVE,
    "training.epochs": _POSITIVE, "training.batch_size": _POSITIVE, "training.learning_rate": _POSITIVE,
    "training.warmup_epochs": _NOT_NEGATIVE, "training.weight_decay": _NOT_NEGATIVE,
    "training.clip_norm": _NOT_NEGATIVE, "training.ema": _SHARE, "training.steps_per_execution": _POSITIVE,
    "training.tensorboard_images": _NOT_NEGATIVE, "training.tensorboard_curves": _NOT_NEGATIVE,
    "training.tensorboard_histograms": _NOT_NEGATIVE,
    "training.tensorboard_profile": (lambda v: len(v) in (0, 2) and all(n > 0 for n in v) and sorted(v) == list(v),
                                     "two steps, the first no later than the last, as in [10,12]"),
    "training.momentum": _SHARE,
    "training.side_weights": (lambda v: v and min(v) >= 0, "at least one number, each 0 or more"),
    "training.side_decay_epochs": _NOT_NEGATIVE, "training.loss_weight": _NOT_NEGATIVE,
    "devices": _NOT_NEGATIVE,
}  # fmt: skip


def check(experiment: Experiment) -> None:
    """Raise UserError for the first value with which no training is possible."""
    for field, (test, expected) in _RULES.items():
        value = experiment
        for part in field.split("."):
            value = getattr(value, part)
        if not test(value):
            raise UserError(f"`{field}` must be {expected}. Received: {value!r}")
    training = experiment.training
    _check_recrop(experiment)
    _check_boxes(experiment)
    _check_second(experiment)
    _check_frame(experiment)
    if experiment.data.protocol == "all" and training.select != "last":
        raise UserError("`data.protocol` all needs `training.select` last: there are no held-out patients to choose "
                        f"weights by. Received: {training.select}")  # fmt: skip
    if training.weight_decay and training.optimizer != "adamw":
        raise UserError("`training.weight_decay` needs `training.optimizer` adamw. "
                        f"Received: weight_decay {training.weight_decay} with {training.optimizer!r}")
    if training.warmup_epochs >= training.epochs:
        raise UserError("`training.warmup_epochs` must be below `training.epochs`. "
                        f"Received: {training.warmup_epochs} of {training.epochs}")
    if training.jit == "on" and training.deterministic:
        raise UserError("`training.jit` on needs `training.deterministic` false: Keras uses no XLA where operations "
                        "are deterministic. Received: `training.jit` on and `training.deterministic` true")
    _check_strategy(experiment)


def _check_recrop(experiment: Experiment) -> None:
    augment, data = experiment.augment, experiment.data
    if augment.extra and augment.draw == "joint":
        raise UserError("`augment.extra` needs `augment.draw` separate: the joint draw has no numbers for more "
                        f"transforms. Received: {', '.join(augment.extra)}")  # fmt: skip
    if augment.recrop and augment.shift:
        raise UserError("`augment.shift` must be 0 with `augment.recrop`, which shifts as the crop policy does. "
                        f"Received: {augment.shift}")  # fmt: skip
    if augment.recrop and (data.view != "roi" or data.protocol == "paper"):
        raise UserError("`augment.recrop` needs `data.view` roi and a protocol other than paper: it cuts crops anew. "
                        f"Received: {data.view}, {data.protocol}")  # fmt: skip
    for name in ("context_range", "off_centre", "crop_shape"):
        if not augment.recrop and (value := getattr(augment, name)) != getattr(AugmentConfig(), name):
            raise UserError(f"`augment.{name}` needs `augment.recrop`, which cuts the crops. Received: {value}")
    if augment.context_range and augment.context_range[1] > (widest := augment.recrop * data.context):
        raise UserError(f"`augment.context_range` must end at {widest:g} at most, the context of the crops that "
                        "others are cut out of (`augment.recrop` times `data.context`). "
                        f"Received: {augment.context_range[1]:g}")


def _check_boxes(experiment: Experiment) -> None:
    """Raise UserError if rotated masks reveal more than bounding boxes: boxes at all angles give the convex hull."""
    angle, protocol = experiment.augment.rotation_degrees, experiment.data.protocol
    if experiment.training.loss in BOX_LOSSES and (angle or protocol == "paper"):
        raise UserError(f"`training.loss` {experiment.training.loss} needs `augment.rotation_degrees` 0 and a "
                        "protocol other than paper: the box around a rotated mask contains more information on its "
                        "outline than the mask's own box. Flips and quarter turns are possible. Received: "
                        f"{angle} degrees, {protocol}")


def _check_frame(experiment: Experiment) -> None:
    data = experiment.data
    if data.image_width in (0, data.image_size):
        return
    if data.view != "film" or data.protocol == "paper" or experiment.augment.quarter_turns:
        raise UserError("`data.image_width` needs `data.view` film, a protocol other than paper, and "
                        "`augment.quarter_turns` false: crops are square, and an oblong image rotated by 90 degrees "
                        "has another shape. Received: "
                        f"{data.view}, {data.protocol}, {str(experiment.augment.quarter_turns).lower()}")


def _check_second(experiment: Experiment) -> None:
    second, model = experiment.data.second, experiment.model.name
    if (second != "none") != (model == "multi_input"):
        raise UserError("`data.second` view or contrast needs `model.name` multi_input, and multi_input needs one of "
                        f"the two. Received: {second} with {model}")
    if second != "none" and (experiment.augment.recrop or experiment.data.protocol == "paper"):
        raise UserError("`data.second` needs `augment.recrop` 0 and a protocol other than paper: only the "
                        "first image could be cut again, and the paper's copies are not pairs. Received: "
                        f"{experiment.augment.recrop:g}, {experiment.data.protocol}")


def _check_strategy(experiment: Experiment) -> None:
    training, strategy = experiment.training, experiment.strategy
    if experiment.devices and strategy != "mirrored":
        raise UserError("`devices` needs `strategy` mirrored. "
                        f"Received: {experiment.devices} with {strategy!r}")
    if training.rate_scaling != "none" and training.batch_per != "device":
        raise UserError("`training.rate_scaling` needs `training.batch_per` device: otherwise a step takes "
                        f"`training.batch_size` examples on however many devices. Received: {training.rate_scaling!r}")
    if strategy != "none" and training.steps_per_execution != 1:
        raise UserError(f"`training.steps_per_execution` must be 1 with `strategy` {strategy}: TensorFlow cannot join "
                        f"steps on several devices. Received: {training.steps_per_execution}")
    if strategy in ("mirrored", "multiworker") and training.jit == "on":
        raise UserError("`training.jit` on needs `strategy` none: Keras compiles no distributed step with XLA. "
                        f"Received: {strategy!r}")
