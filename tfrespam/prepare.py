"""Command line of `prepare`: convert a download or a folder of images to TFRecord shards, index, ledger and folds."""

import sys
from pathlib import Path
from typing import Literal

from tfrespam import cli
from tfrespam.config import Experiment
from tfrespam.core.console import console, quoted

MOST_MISSING = 0.1  # share of the listed lesions
INCOMPLETE = 3  # exit status

GROUPS = {"Examples": ("view", "context", "image_size", "image_width")}


def prepare(
    source: str,
    data_dir: str | None = None,
    name: str | None = None,
    view: Literal["roi", "film"] = "roi",
    context: float = 1.6,
    image_size: int = 224,
    image_width: int = 0,
    workers: int | None = None,
    beam_runner: str | None = None,
    allow_missing: bool = False,
) -> None:
    """Read mammograms and masks, repair known faults, and store training examples.

    Args:
        source: A CBIS-DDSM download (case-list, NBIA or Kaggle layout), INbreast, CDD-CESM, mini-MIAS, BUSI, or a
            folder with images/ and masks/.
        data_dir: Folder of all prepared data sets (default: $TFRESPAM_DATA_DIR, or datasets/).
        name: Name of the data set (default: that of the source).
        view: "roi" for a crop around each lesion, "film" for the whole breast.
        context: Side of a crop over the lesion's longest box side.
        image_size: Side of the stored images in pixels; their height if image_width is given.
        image_width: Width of the stored images, for --view film: a breast is about half as wide as high. 0: square.
        workers: Processes that read films (default: one per core).
        beam_runner: Apache Beam runner that reads them instead, such as DirectRunner (docs/how-to/distributed.md).
        allow_missing: End with status 0 although film or mask of more than a tenth of the listed lesions is missing.
            Without this option the existing files are prepared too, but with a warning and exit status 3.
    """
    from tfrespam.workflows.preparation import missing, prepare_source

    home = Path(data_dir or Experiment().data_dir)
    path = prepare_source(Path(source), home, name, view, context, image_size, workers, beam_runner, image_width)
    console.print("Next: python -m tfrespam.train --config FILE "
                  f"--data_dir {quoted(home)} --data.dataset {quoted(path.parent.name)}")  # fmt: skip
    lacking, listed = missing(path)
    if lacking > MOST_MISSING * listed and not allow_missing:
        print(f"warning: film or mask of {lacking} of {listed} listed lesions is missing. Is the download "
              f"complete? The data set contains the others, {quoted(path / 'ledger.csv')} names the missing ones "
              "(skipped_missing). Complete the download and prepare again, or accept it with --allow_missing",
              file=sys.stderr)  # fmt: skip
        sys.exit(INCOMPLETE)


def main() -> None:
    cli.run(prepare, groups=GROUPS)


if __name__ == "__main__":
    main()
