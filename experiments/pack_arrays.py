"""Write the data of an experiment into one file of at most 50 MB, for experiments/on_accelerator.py.

    python experiments/pack_arrays.py --config experiments/respam_paper.yaml --output respam_paper.npz

Needs the data set prepared as the experiment asks (`python -m tfrespam.prepare`); the paper's copies are made when they
are missing. The file contains each image once; of a copy it contains only rotation and mirroring. It contains images of
patients, so it must not be published.
"""

import argparse
import dataclasses
from pathlib import Path

from tfrespam import cli
from tfrespam.config import Experiment
from tfrespam.core.console import console
from tfrespam.core.errors import UserError
from tfrespam.studies.comparison.one_training import experiment_of


def pack_arrays(experiment: Experiment, output: Path, megabytes: float) -> None:
    """Write the file, with images as 16-bit PNG if they fit, else as 8-bit PNG, else as JPEG."""
    from tfrespam.core import runtime

    if experiment.data.second != "none":
        raise UserError(f"pairs of images cannot be packed. Received: data.second {experiment.data.second!r}")
    runtime.start()
    from tfrespam.data.loading.packing import pack
    from tfrespam.data.loading.prepared import find
    from tfrespam.training.runs import TrainingRun
    from tfrespam.workflows.training import prepare_data

    prepare_data(experiment)
    run = TrainingRun(experiment)
    originals = find(experiment.data_dir, dataclasses.replace(experiment.data, protocol="official"))
    wider = run.source if experiment.augment.recrop else None
    found = pack(experiment, run.prepared, originals, wider, output, megabytes)
    console.print(f"{output}: {found['images']} images for {found['rows']} rows, {found['encoding']}, "
                  f"{found['megabytes']:.1f} MB")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter,
                                     epilog="Further options override the experiment's.")  # fmt: skip
    parser.add_argument("--config", type=Path, required=True, help="YAML file of train or compare")
    parser.add_argument("--output", type=Path, required=True, help="the file, for instance arrays.npz")
    parser.add_argument("--megabytes", type=float, default=50, help="largest size of the file (default: 50)")
    for name in ("network", "recipe", "protocol"):
        parser.add_argument(f"--{name}", default="", help=f"{name} of a comparison, if the file lists several")
    args, further = parser.parse_known_args()
    try:
        experiment = experiment_of(args.config, further, args.network, args.recipe, args.protocol)
        with cli.shown_log():
            pack_arrays(experiment, args.output, args.megabytes)
    except UserError as error:
        cli.fail(error)


if __name__ == "__main__":
    main()
