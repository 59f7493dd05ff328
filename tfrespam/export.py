"""Command line of `export`: export training runs as a SavedModel in the layout of TensorFlow Serving."""

from typing import Literal

from tfrespam import cli

GROUPS = {
    "Network": ("threshold", "views", "calibrate", "candidates"),
    "Files": ("format", "weights", "arithmetic"),
    "Model card": ("held_out", "data_dir", "note"),
}


def export(
    *runs: str,
    models_dir: str | None = None,
    name: str | None = None,
    threshold: float = 0.5,
    views: Literal["none", "mirror", "flips", "dihedral"] = "none",
    held_out: tuple[str, ...] = (),
    calibrate: bool = False,
    data_dir: str | None = None,
    weights: Literal["float32", "float16"] = "float32",
    arithmetic: Literal["as_trained", "float32"] = "as_trained",
    note: str = "",
    candidates: dict[str, float] | None = None,
    format: Literal["saved_model", "onnx", "openvino", "litert"] = "saved_model",
) -> None:
    """Export the selected weights of training runs as a new version of their experiment; several runs are averaged.

    Args:
        runs: Folders of training runs (runs/<experiment>/<run>), with config.yaml and best.keras or last.keras.
        models_dir: Folder of all exported models (default: as in the first run's config.yaml).
        name: Folder under models_dir (default: the first run's experiment).
        threshold: Probability threshold: pixels with at least this probability belong to the mask.
        views: Test-time augmentation inside the graph: the mean over 2 ("mirror", left-right) or 4 mirrored ("flips")
            or 8 mirrored and rotated ("dihedral", square inputs) views of each image, at as many times the cost.
        held_out: Folders of runs whose held-out folds together give the scores of the model card. They represent a
            model that was trained on all patients, and have its settings (default with --calibrate: the exported
            runs; otherwise an average has no scores). If several runs are exported, name as many for each fold; they
            are averaged.
        calibrate: Calibrate probabilities by a temperature that is fitted on those folds and stored in the graph. Masks
            at threshold 0.5 do not change. The temperature is fitted to the held-out predictions of each fold's run
            and applied to their average.
        data_dir: Folder of all prepared data sets (default: as in each run's config.yaml).
        weights: Type of the stored kernels. float16 rounds them, which halves the file; the network still computes in
            `arithmetic`.
        arithmetic: Arithmetic of the exported network. For a network trained in mixed precision "float32" is faster on
            processors without half-precision units; its scores from training are then omitted.
        note: A sentence for the caveats of the model card, such as how the training images were downsampled.
        candidates: Rule for the candidates of a film model, instead of that from its training:
            threshold, least_score (the operating point), least_area, join, score_slope, score_intercept; see
            tfrespam.evaluation.candidates.
        format: Another format to write beside the SavedModel and compare with it.
    """
    from tfrespam.workflows import export_runs

    export_runs.export_runs(runs, models_dir=models_dir, name=name, threshold=threshold, views=views, held_out=held_out,
                          calibrate=calibrate, data_dir=data_dir, weights=weights, arithmetic=arithmetic, note=note,
                          also=None if format == "saved_model" else format, candidates=candidates)  # fmt: skip


def main() -> None:
    cli.run(export, groups=GROUPS)


if __name__ == "__main__":
    main()
