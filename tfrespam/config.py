"""Configuration of an experiment, which `python -m tfrespam.train` reads from YAML and from --dotted.options.

Without `--config`, `train` starts from the values of experiments/phantom.yaml instead of the defaults below.
"""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any, Literal

LEAKING = "paper", "all"  # protocols that train on the validation examples, or on copies of them
BOX_LOSSES = "box", "projection"  # learn only from the bounding boxes of the masks

OPTION_GROUPS = {  # headings of --help; "*" as `compare` has the same options after "base."
    "Folders": ("*data_dir", "*runs_dir", "*models_dir"),
    "Devices": ("*strategy", "*devices", "*.batch_per", "*.rate_scaling", "*.batch_statistics"),
    "Augmentation: crops cut again from larger ones": (
        "*.recrop", "*.context_range", "*.off_centre", "*.crop_shape"),
    "Training: auxiliary outputs and discriminator": ("*.side_*", "*.loss_weight"),
    "Training: arithmetic and speed": ("*.precision", "*.jit", "*.deterministic", "*.steps_per_execution"),
    "TensorBoard": ("*tensorboard*",),
}  # fmt: skip


def _added_later(default, *, before=None):
    """Define a setting that was added later; at the value implied by older runs it does not change their folder's name.

    `before` is that value, if it differs from the default of new runs.
    """
    return dataclasses.field(default=default, metadata={"later": True, "before": default if before is None else before})


@dataclasses.dataclass
class DataConfig:
    """Data set, crops and splits.

    Args:
        dataset: Name of a prepared data set under `data_dir`.
        view: "roi" for crops around each lesion, "film" for the whole breast.
        context: Side of a crop divided by the longest side of the lesion's bounding box.
        image_size: Side of the square network input in pixels; its height if `image_width` is set.
        protocol: "official" (the source's test list; training list split by patient), "folds" (five folds by patient),
            "paper" (13 copies of every lesion, shuffled, 8:2; leaks by design), or "all" (trains on all patients of the
            training list, for a model to be deployed; validation uses training patients, so its scores are too high).
        fold: Fold, 0-4, that is held out for validation.
        exclude_films: Ids of films excluded from training and evaluation, for instance because of a wrong mask.
        absent_films: How many of `exclude_films` the data set may lack, with a warning, before training is refused.
        second: Second image for the network `multi_input`: "view" (the other of CC and MLO of the same breast) or
            "contrast" (CDD-CESM: the other of low-energy and subtracted). A missing image is a black channel.
        image_width: Width of the network input, for whole films: a breast is about half as wide as high. 0: square.
    """

    dataset: str = "phantom"
    view: Literal["roi", "film"] = "roi"
    context: float = 1.6
    image_size: int = 224
    protocol: Literal["official", "folds", "paper", "all"] = "official"
    fold: int = 0
    exclude_films: tuple[str, ...] = ()
    absent_films: int = _added_later(10)
    second: Literal["none", "view", "contrast"] = _added_later("none")
    image_width: int = _added_later(0)

    @property
    def image_shape(self) -> tuple[int, int]:
        """Height and width of the network input, in pixels."""
        return self.image_size, self.image_width or self.image_size

    @classmethod
    def of(cls, written: Mapping[str, Any]) -> "DataConfig":
        """Create from the `data` of a config.yaml or metadata.json; keys unknown to this version are ignored."""
        known = {field.name: written[field.name] for field in dataclasses.fields(cls) if field.name in written}
        return cls(**{**known, "exclude_films": tuple(known.get("exclude_films", ()))})


@dataclasses.dataclass
class AugmentConfig:
    """Random augmentation of training images, drawn again each epoch; image and mask get the same geometry.

    Args:
        rotation_degrees: Rotation, uniform within plus and minus this angle.
        flips: Mirror images left-right and top-bottom, each with probability one half.
        quarter_turns: Also rotate images by a random multiple of 90 degrees.
        scale: Zoom, log-uniform within 1/(1+scale) and 1+scale.
        shift: Translation, uniform within plus and minus this share of the side.
        gamma: Exponent of the grey values, log-uniform within 1/(1+gamma) and 1+gamma.
        contrast: Factor on the grey values about their mean, uniform within 1 plus and minus this share.
        noise: Standard deviation of added normal noise, in grey values of [0, 1].
        recrop: Side of the stored crops divided by that of the training crops, above 1. In every epoch each training
            crop is cut anew, after rotation, from a stored crop. The data set must also be prepared with `data.context`
            and `data.image_size` both multiplied by this factor. 0: off.
        context_range: With recrop: smallest and largest context, drawn log-uniformly for each crop, so that the network
            supports any crop; at most `recrop` times `data.context`, minus room for rotation. Empty: `data.context`.
        off_centre: With recrop: share of the side by which crops may be shifted beyond the usual shift.
        crop_shape: With recrop: shape of crops before padding to a square: "square", "box" (the mass's box with the
            same margin on all sides, as in CBIS-DDSM's crop files), or "any" (random between the two).
        draw: How random numbers are drawn. "separate": each transform has its own, so that adding one does not change
            the others. "joint": one vector of numbers for all, only to reproduce runs of releases before this setting.
        extra: Your own transforms, each as package.module:Class, called without arguments.
    """

    rotation_degrees: float = 10.0
    flips: bool = True
    quarter_turns: bool = False
    scale: float = 0.0
    shift: float = 0.0
    gamma: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    recrop: float = _added_later(0.0)
    context_range: tuple[float, ...] = _added_later(())
    off_centre: float = _added_later(0.0)
    crop_shape: Literal["square", "box", "any"] = _added_later("square")
    draw: Literal["separate", "joint"] = _added_later("separate", before="joint")
    extra: tuple[str, ...] = _added_later(())


@dataclasses.dataclass
class ModelConfig:
    """Network.

    Args:
        name: A network of `tfrespam.build_model`, or your own function as package.module:function.
        width: Factor on every channel count.
        options: Further keyword arguments of the network's builder.
    """

    name: str = "respam_unet"
    width: float = 1.0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass
class TrainingConfig:
    """Training.

    Args:
        epochs: Passes over the training examples.
        batch_size: Examples per step.
        learning_rate: Peak learning rate.
        schedule: "constant", or "cosine" (decay to zero after the warm-up).
        warmup_epochs: Epochs of linear rise of the learning rate from zero.
        optimizer: "adam", "adamw" or "sgd".
        weight_decay: Decoupled weight decay, adamw only.
        clip_norm: Largest global gradient norm; 0 disables clipping.
        loss: A loss of `tfrespam.losses`, such as "bce", "dice", "iou" or "bce_dice"; "box" learns only from the masks'
            bounding boxes. Or your own `keras.losses.Loss` as package.module:Class.
        loss_options: Keyword arguments of the loss, for instance {dice_weight: 2} for "bce_dice"; for "box" affinity,
            warmup_epochs, contrast, distance, least_fill and most_fill.
        ema: Largest momentum of the running average of all weights, which is evaluated and exported; 0 disables it.
        select: Weights to export: "best" by validation Dice, or "last" (no selection, so that validation scores stay
            unbiased).
        precision: "float32", "mixed_float16" (GPUs) or "mixed_bfloat16" (GPUs, and processors with AVX512_BF16 or AMX).
            The export uses the precision of training, unless `--arithmetic float32` is given.
        jit: XLA: "auto", "on" or "off"; "auto" is off if `deterministic` is on, and on a CPU.
        deterministic: Bitwise equal weights for the same seed and machine; slower on a GPU.
        steps_per_execution: Training steps per call of the compiled function.
        tensorboard_images: Number of validation examples in TensorBoard, a third each easy, median and hard.
        tensorboard_attention: Show the attention gates on those examples.
        tensorboard_curves: Interval in epochs of precision-recall, reliability and FROC curves of all validation
            examples, also after the last epoch; 0 disables them.
        tensorboard_gradients: Log the norm of the gradients; only with --strategy none.
        tensorboard_histograms: Interval in epochs of histograms of all weights; 0 disables them.
        tensorboard_profile: First and last step of the profile; the profile tab needs the extra [profile].
        initial_weights: Start from the weights of an exported model (its folder) or of a .keras file, for all layers
            that match; others are reported. Empty: random initialisation.
        momentum: Momentum of "sgd"; beta 1 (decay of the gradient's running mean) of the other optimizers.
        side_loss: Loss of auxiliary outputs (deep supervision), for networks that have some. DS U-Net's outputs may
            exceed 1, which only "log_dice" supports.
        side_weights: Weights of the auxiliary outputs' losses relative to the main loss, in the order of their names
            (boundary1, ..., mask1, ...; higher numbers are finer decoder levels), or one value for all.
        side_decay_epochs: E, where those weights decay with epoch e as (1 - e/E)^2; 0: constant.
        loss_weight: Weight of the loss relative to the adversarial loss, for networks with a discriminator (`cgan`).
        batch_per: Meaning of `batch_size`: examples of a "step" over all devices, or of each "device".
        rate_scaling: Factor on `learning_rate` if batch_per is "device": "none" (1), "linear" (the number of devices)
            or "sqrt" (its square root).
        batch_statistics: Batch normalisation on several devices: "synchronized" (statistics of the whole step, as on
            one device) or "device" (separate statistics; less communication, different weights).
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
    initial_weights: str = _added_later("")
    momentum: float = _added_later(0.9)
    side_loss: str = _added_later("log_dice")
    side_weights: tuple[float, ...] = _added_later((1.0,))
    side_decay_epochs: float = _added_later(0.0)
    loss_weight: float = _added_later(150.0)
    batch_per: Literal["step", "device"] = _added_later("step")
    rate_scaling: Literal["none", "linear", "sqrt"] = _added_later("none")
    batch_statistics: Literal["synchronized", "device"] = _added_later("synchronized")


@dataclasses.dataclass
class Experiment:
    """Settings of a training run, saved with its results as config.yaml.

    Args:
        name: Name of the experiment; subfolder for its runs and exported models.
        seed: Seed of initial weights, order of examples and augmentation.
        data_dir: Folder of the prepared data sets (default: $TFRESPAM_DATA_DIR, or datasets/).
        runs_dir: Folder of training runs.
        models_dir: Folder of exported models, in TF Serving's layout.
        strategy: Devices: "none" (one), "mirrored" (several of this machine), "multiworker" (several machines, listed
            in the environment variable TF_CONFIG) or "tpu".
        devices: Number of devices for "mirrored" (default: all GPUs). Without a GPU, logical devices of the processor.
        data: Data set, crops and splits.
        augment: Augmentation of training images.
        model: Network.
        training: Training.
        tensorboard: Start TensorBoard on the run.
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

    @staticmethod
    def recorded_defaults(written: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings, by dotted name, that an older run's config.yaml lacks and whose default has changed since.

        A file that a run recorded contains every setting of its time, among them the first eight of `augment`. A file
        without them was written by a user.
        """
        augment = written.get("augment")
        first = {field.name for field in dataclasses.fields(AugmentConfig) if not field.metadata.get("later")}
        recorded = isinstance(augment, Mapping) and first <= set(augment)
        return {"augment.draw": "joint"} if recorded and "draw" not in augment else {}


def identity(experiment: Experiment) -> dict[str, Any]:
    """Return the settings that identify a run: those that affect its result.

    Folders, TensorBoard settings, and settings added later at the value of older runs are left out. `strategy` and
    `devices` count only if `batch_per` is "device": otherwise the same global batch gives the same result.
    """
    settings = dataclasses.asdict(experiment)
    devices = ("strategy", "devices") if experiment.training.batch_per == "step" else ()
    for ignored in ("data_dir", "runs_dir", "models_dir", "tensorboard", *devices):
        settings.pop(ignored)
    for name, section in vars(experiment).items():
        if dataclasses.is_dataclass(section):
            for field in dataclasses.fields(section):
                before = field.metadata.get("before", field.default)
                unset = field.metadata.get("later") and getattr(section, field.name) in (before, {})
                if unset or (field.name.startswith("tensorboard") and field.name != "tensorboard_images"):
                    settings[name].pop(field.name)
    return settings
