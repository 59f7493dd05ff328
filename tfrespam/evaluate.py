"""Command line of `evaluate`: evaluate an exported model on a split of a prepared data set."""

from typing import Literal

from tfrespam import cli


def evaluate(
    output: str,
    model: str | None = None,
    data_dir: str | None = None,
    protocol: Literal["official", "folds", "paper", "all"] | None = None,
    split: Literal["train", "validation", "test"] = "validation",
    fold: int | None = None,
    dataset: str | None = None,
    threshold: float | None = None,
    postprocessing: Literal["none", "dense_crf"] = "none",
) -> None:
    """Evaluate an exported model on a split; write per_image.csv, calibration.csv and summary.json.

    On whole films (`prepare --view film`) it also counts detected masses and false positives, by the matching rule in
    summary.json: sensitivity at 0.25, 0.5, 1 and 2 false positives per film, AP50 and reliability of the
    scores there, candidates in candidates.csv, the FROC curve in froc.csv, and results by view, density, subtlety,
    pathology and size in detection_groups.csv. A network that was trained on crops scans the films with overlapping
    tiles: prepare them large enough to show a mass, for instance with --image_size 768, and name their folder as
    --data_dir.

    Args:
        output: Folder for per_image.csv, calibration.csv and summary.json.
        model: Exported model, the folder of an experiment or of a version (default: the newest under saved_models/).
        data_dir: Folder of all prepared data sets, or of one (default: $TFRESPAM_DATA_DIR, or datasets/).
        protocol: "official", "folds", "paper" or "all" (default: that of the model's training).
        split: The split to evaluate.
        fold: The patient fold to hold out, 0-4 (default: that of the model's training).
        dataset: Name of the data set (default: that of the model's training).
        threshold: Probability threshold: pixels with at least this probability belong to the mask (default: that
            of the model).
        postprocessing: "dense_crf" for that of DS U-Net: a dense CRF on the probabilities and the image.
    """
    from tfrespam.workflows import evaluation

    evaluation.evaluate_export(output=output, model=model, data_dir=data_dir, protocol=protocol, split=split, fold=fold,
                               dataset=dataset, threshold=threshold, postprocessing=postprocessing)  # fmt: skip


def main() -> None:
    cli.run(evaluate)


if __name__ == "__main__":
    main()
