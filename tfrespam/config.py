"""An experiment as data: what `python -m tfrespam.train` reads from YAML and from --dotted.overrides."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Literal

from tfrespam.errors import UserError
from tfrespam.files import is_plain_name

LEAKING = "paper", "all"  # protocols whose validation examples, or copies of them, are trained on
BOX_LOSSES = "box", "projection"  # learn from the masks' boxes alone


def _later(default):
    """A setting that older runs did not have: at its default it leaves the name of their folder as it is."""
    return dataclasses.field(default=default, metadata={"later": True})


@dataclasses.dataclass
class DataConfig:
    """Which examples.

    Args:
        dataset: Name of a prepared data set under `data_dir`.
        view: "roi" for crops around each lesion, "film" for the whole breast.
        context: Side of a crop over the lesion's longest box side.
        image_size: Side of the square network input, in pixels.
        protocol: "official" (the source's test list; training list cut by patient), "folds" (five folds by patient),
            "paper" (13 copies of every lesion, shuffled, 8:2; leaks by design), or "all" (the whole training list
            trains, for a model to be used; validation shows pictures that it has learnt).
        fold: The fold, 0-4, that is held out for validation.
        exclude_films: Film ids left out of training and evaluation, for instance films whose mask is displaced.
        second: Second picture for the network `multi_input`: "view" (CC beside MLO of the same breast and back) or
            "contrast" (CDD-CESM: subtracted beside low-energy and back). Where it is missing the channel is black.
    """

    dataset: str = "phantom"
    view: Literal["roi", "film"] = "roi"
    context: float = 1.6
    image_size: int = 224
    protocol: Literal["official", "folds", "paper", "all"] = "official"
    fold: int = 0
    exclude_films: tuple[str, ...] = ()
    second: Literal["none", "view", "contrast"] = _later("none")

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> "DataConfig":
        """The `data` of a config.yaml or metadata.json; what this version does not know is left out."""
        known = {field.name: written[field.name] for field in dataclasses.fields(cls) if field.name in written}
        return cls(**{**known, "exclude_films": tuple(known.get("exclude_films", ()))})


@dataclasses.dataclass
class AugmentConfig:
    """Random changes of training pictures, drawn anew each epoch; image and mask get the same geometry.

    Args:
        rotation_degrees: Rotation, uniform within plus and minus this angle.
        flips: Whether pictures are mirrored left-right and top-bottom, each with probability one half.
        quarter_turns: Whether pictures are also turned by a random multiple of 90 degrees.
        scale: Zoom, log-uniform within 1/(1+scale) and 1+scale.
        shift: Translation, uniform within plus and minus this share of the side.
        gamma: Exponent of the grey values, log-uniform within 1/(1+gamma) and 1+gamma.
        contrast: Factor on the grey values about their mean, uniform within 1 plus and minus this share.
        noise: Standard deviation of added normal noise, in grey values of [0, 1].
        recrop: Above 1, each training picture is cut anew by the crop policy, after the turn, out of a crop that
            reaches so many times as far; the data set must be prepared at that context and image size too. 0: off.
    """

    rotation_degrees: float = 10.0
    flips: bool = True
    quarter_turns: bool = False
    scale: float = 0.0
    shift: float = 0.0
    gamma: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    recrop: float = _later(0.0)


@dataclasses.dataclass
class ModelConfig:
    """Which network.

    Args:
        name: A name of `tfrespam.build_model`.
        width: Factor on every channel count.
        options: Further keyword arguments of that network's builder.
    """

    name: str = "respam_unet"
    width: float = 1.0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class TrainingConfig:
    """How it is trained.

    Args:
        epochs: Passes over the training examples.
        batch_size: Examples per step.
        learning_rate: Peak learning rate.
        schedule: "constant", or "cosine" (decay to zero after the warm-up).
        warmup_epochs: Linear rise of the learning rate from zero.
        optimizer: "adam", "adamw" or "sgd".
        weight_decay: Decoupled weight decay, adamw only.
        clip_norm: Largest global gradient norm; 0 switches clipping off.
        loss: A name of `tfrespam.losses`, such as "bce", "dice", "iou" or "bce_dice"; "box" learns from the masks'
            bounding boxes alone.
        loss_options: Its keyword arguments, for instance {dice_weight: 2} of "bce_dice"; of "box" affinity,
            warmup_epochs, contrast, distance, least_fill and most_fill.
        ema: Largest momentum of the running average of all weights, which is what is judged and exported; 0 switches it
            off.
        select: Which weights are exported: "best" by validation Dice, or "last" (no selection, so the validation
            figures stay unbiased).
        precision: "float32", "mixed_float16" (GPUs) or "mixed_bfloat16" (GPUs, and processors with AVX512_BF16 or AMX).
            The export computes as training did, unless it is asked for `--arithmetic float32`.
        jit: XLA: "auto", "on" or "off"; "auto" is off where `deterministic` is on, and on a CPU.
        deterministic: Same seed and machine, same weights bit for bit; slower on a GPU.
        steps_per_execution: Training steps per call of the compiled function.
        tensorboard_images: Validation cases shown in TensorBoard, in equal shares easy, median and hard ones.
        tensorboard_attention: Whether TensorBoard shows the attention gates on those cases.
        tensorboard_curves: Every so many epochs, and at the last, precision-recall and reliability curves over all
            validation cases; 0 switches them off.
        tensorboard_gradients: Whether the norm of the gradients is measured; with --strategy none only.
        tensorboard_histograms: Every so many epochs histograms of all weights; 0 switches them off.
        tensorboard_profile: First and last step that are profiled; the profile tab needs the extra [profile].
        momentum: Momentum of "sgd"; of the others, how much of the gradient's running mean is kept (beta 1).
        side_loss: Loss of the side outputs of a network that has some (deep supervision). DS U-Net's are not
            bounded by 1, which only "log_dice" allows for.
        side_weights: Weight of each side output's loss beside the output's, by name (boundary1, ..., mask1, ...; the
            higher the number, the finer the decoder's level), or one for all.
        side_decay_epochs: E, where those weights shrink with epoch e as (1 - e/E)^2; 0: they stay.
        loss_weight: Weight of the loss beside the discriminator's verdict, for a network that has one (`cgan`).
        batch_per: Whether `batch_size` counts the examples of a "step" over all devices, or those of each "device".
        rate_scaling: What multiplies `learning_rate` where batch_per is "device": "none" (1), "linear" (the number of
            devices) or "sqrt" (its root).
        batch_statistics: Of batch normalisation on several devices: "synchronized" (over the whole step, as on one
            device) or "device" (each device its own; less traffic, other weights).
    """

    epochs: int = 100
    batch_size: int = 8
    learning_rate: float = 1e-3
    schedule: Literal["constant", "cosine"] = "constant"
    warmup_epochs: float = 0.0
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    loss: str = "bce_dice"
    loss_options: dict[str, Any] = dataclasses.field(default_factory=dict, metadata={"later": True})
    ema: float = 0.0
    select: Literal["best", "last"] = "best"
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    jit: Literal["auto", "on", "off"] = "auto"
    deterministic: bool = True
    steps_per_execution: int = 1
    tensorboard_images: int = 6
    tensorboard_attention: bool = True
    tensorboard_curves: int = 10
    tensorboard_gradients: bool = True
    tensorboard_histograms: int = 0
    tensorboard_profile: tuple[int, ...] = ()
    momentum: float = _later(0.9)
    side_loss: str = _later("log_dice")
    side_weights: tuple[float, ...] = _later((1.0,))
    side_decay_epochs: float = _later(0.0)
    loss_weight: float = _later(150.0)
    batch_per: Literal["step", "device"] = _later("step")
    rate_scaling: Literal["none", "linear", "sqrt"] = _later("none")
    batch_statistics: Literal["synchronized", "device"] = _later("synchronized")


@dataclasses.dataclass
class Experiment:
    """One training, whole: written beside its results as config.yaml.

    Args:
        name: The experiment's name; runs and exported models are kept under it.
        seed: Seed of weights, order and augmentation.
        data_dir: Home of the prepared data sets (default: $TFRESPAM_DATA_DIR, or datasets/).
        runs_dir: Home of training runs.
        models_dir: Home of exported models, in TF Serving's layout.
        strategy: Devices: "none" (one), "mirrored" (several of this machine), "multiworker" (several machines, named by
            the environment variable TF_CONFIG) or "tpu".
        devices: How many devices "mirrored" takes (default: all GPUs). Without a GPU the processor stands for them.
        data: Which examples.
        augment: How training pictures are changed.
        model: Which network.
        training: How it is trained.
        tensorboard: Whether TensorBoard is started on the run.
    """

    name: str = "experiment"
    seed: int = 0
    data_dir: str = dataclasses.field(default_factory=lambda: os.environ.get("TFRESPAM_DATA_DIR", "datasets"))
    runs_dir: str = "runs"
    models_dir: str = "saved_models"
    strategy: Literal["none", "mirrored", "multiworker", "tpu"] = "none"
    devices: int = 0
    data: DataConfig = dataclasses.field(default_factory=DataConfig)
    augment: AugmentConfig = dataclasses.field(default_factory=AugmentConfig)
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    tensorboard: bool = False


def identity(experiment: Experiment) -> dict[str, Any]:
    """The settings that make a run what it is: without places, TensorBoard, and later settings at their default.

    The devices are none, as long as they share each step's examples, however many they are.
    """
    settings = dataclasses.asdict(experiment)
    devices = ("strategy", "devices") if experiment.training.batch_per == "step" else ()
    for place in ("data_dir", "runs_dir", "models_dir", "tensorboard", *devices):
        settings.pop(place)
    for name, section in vars(experiment).items():
        if dataclasses.is_dataclass(section):
            for field in dataclasses.fields(section):
                unset = field.metadata.get("later") and getattr(section, field.name) in (field.default, {})
                if unset or (field.name.startswith("tensorboard") and field.name != "tensorboard_images"):
                    settings[name].pop(field.name)
    return settings


# field -> (test, what is expected)
_POSITIVE = (lambda value: value > 0, "a number above 0")
_SHARE = (lambda value: 0 <= value < 1, "a number from 0 to below 1")
_NOT_NEGATIVE = (lambda value: value >= 0, "0 or more")
_RULES = {
    "name": (is_plain_name, "a plain folder name"),
    "seed": (lambda v: 0 <= v < 2**32, "a whole number from 0 to below 2^32"),
    "data.context": (lambda v: v >= 1, "a number of at least 1"),
    "data.image_size": (lambda v: v >= 32 and v % 32 == 0, "a multiple of 32, at least 32"),
    "data.fold": (lambda v: 0 <= v <= 4, "a fold from 0 to 4"),
    "augment.rotation_degrees": (lambda v: 0 <= v <= 180, "an angle from 0 to 180"),
    "augment.scale": _NOT_NEGATIVE, "augment.shift": _SHARE, "augment.gamma": _NOT_NEGATIVE,
    "augment.contrast": _SHARE, "augment.noise": _NOT_NEGATIVE,
    "augment.recrop": (lambda v: v == 0 or 1 < v <= 4, "0, or a number above 1 up to 4"),
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
    """Raises UserError for the first value that no training could use."""
    for field, (test, expected) in _RULES.items():
        value = experiment
        for part in field.split("."):
            value = getattr(value, part)
        if not test(value):
            raise UserError(f"--{field} must be {expected}. Received: {value!r}")
    training = experiment.training
    _check_recrop(experiment)
    _check_boxes(experiment)
    _check_second(experiment)
    if experiment.data.protocol == "all" and training.select != "last":
        raise UserError("--data.protocol all needs --training.select last: there are no held-out patients to choose "
                        f"weights by. Received: {training.select}")  # fmt: skip
    if training.weight_decay and training.optimizer != "adamw":
        raise UserError("--training.weight_decay needs --training.optimizer adamw. "
                        f"Received: weight_decay {training.weight_decay} with {training.optimizer!r}")
    if training.warmup_epochs >= training.epochs:
        raise UserError("--training.warmup_epochs must be below --training.epochs. "
                        f"Received: {training.warmup_epochs} of {training.epochs}")
    if training.jit == "on" and training.deterministic:
        raise UserError("--training.jit on needs --training.deterministic false: Keras uses no XLA where operations "
                        "are deterministic. Received: both")
    _check_strategy(experiment)


def _check_recrop(experiment: Experiment) -> None:
    augment, data = experiment.augment, experiment.data
    if augment.recrop and augment.shift:
        raise UserError("--augment.shift must be 0 with --augment.recrop, which shifts as the crop policy does. "
                        f"Received: {augment.shift}")  # fmt: skip
    if augment.recrop and (data.view != "roi" or data.protocol == "paper"):
        raise UserError("--augment.recrop needs --data.view roi and an honest protocol: it cuts crops anew. "
                        f"Received: {data.view}, {data.protocol}")  # fmt: skip


def _check_boxes(experiment: Experiment) -> None:
    """Boxes of a mass turned by every angle are its convex hull: that would be more than its box."""
    angle, protocol = experiment.augment.rotation_degrees, experiment.data.protocol
    if experiment.training.loss in BOX_LOSSES and (angle or protocol == "paper"):
        raise UserError(f"--training.loss {experiment.training.loss} needs --augment.rotation_degrees 0 and an honest "
                        "protocol: the box around a turned mask tells more of its outline than the mask's own box. "
                        f"Flips and quarter turns are fine. Received: {angle} degrees, {protocol}")


def _check_second(experiment: Experiment) -> None:
    second, model = experiment.data.second, experiment.model.name
    if (second != "none") != (model == "multi_input"):
        raise UserError("--data.second view or contrast and --model.name multi_input need each other. "
                        f"Received: {second} with {model}")
    if second != "none" and (experiment.augment.recrop or experiment.data.protocol == "paper"):
        raise UserError("--data.second needs --augment.recrop 0 and an honest protocol: only the first picture could "
                        "be cut anew, and the paper's copies are no pairs. Received: "
                        f"{experiment.augment.recrop:g}, {experiment.data.protocol}")


def _check_strategy(experiment: Experiment) -> None:
    training, strategy = experiment.training, experiment.strategy
    if experiment.devices and strategy != "mirrored":
        raise UserError("--devices needs --strategy mirrored. "
                        f"Received: --devices {experiment.devices} with {strategy!r}")
    if training.rate_scaling != "none" and training.batch_per != "device":
        raise UserError("--training.rate_scaling needs --training.batch_per device: otherwise a step takes "
                        f"--training.batch_size examples on however many devices. Received: {training.rate_scaling!r}")
    if strategy != "none" and training.steps_per_execution != 1:
        raise UserError(f"--training.steps_per_execution must be 1 with --strategy {strategy}: TensorFlow cannot join "
                        f"steps on several devices. Received: {training.steps_per_execution}")
    if strategy in ("mirrored", "multiworker") and training.jit == "on":
        raise UserError("--training.jit on needs --strategy none: Keras compiles no distributed step with XLA. "
                        f"Received: {strategy!r}")
