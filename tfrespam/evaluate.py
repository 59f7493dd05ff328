"""Stage `evaluate`: an exported graph judged on a split of a prepared data set."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from tfrespam import cli
from tfrespam.config import DataConfig, Experiment
from tfrespam.errors import UserError
from tfrespam.files import only_one

SETTINGS = ("width", "options", "data", "augment", "training", "views")  # of the model, in summary.json


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
    """Runs an exported model over a split; writes per_image.csv, calibration.csv and summary.json.

    On whole films (`prepare --view film`) masses found and false alarms are counted too; every candidate goes to
    candidates.csv. A network that was trained on crops scans the films with overlapping tiles: prepare them large
    enough for a mass to be seen, for instance with --image_size 768, and name their folder as --data_dir.

    Args:
        output: Folder for per_image.csv, calibration.csv and summary.json.
        model: Exported model, an experiment's folder or a version's (default: the newest under saved_models/).
        data_dir: Home of the prepared data sets, or the folder of one (default: $TFRESPAM_DATA_DIR, or datasets/).
        protocol: "official", "folds", "paper" or "all" (default: the one that the model was trained under).
        split: Which part is judged.
        fold: The patient fold that is held out, 0-4 (default: the one held out in training).
        dataset: Name of the data set (default: the one that the model was trained on).
        threshold: Probability from which a pixel belongs to the mask (default: the model's own).
        postprocessing: "dense_crf" for DS U-Net's: the masks of a dense CRF on the model's answer and the picture.
    """
    from tfrespam import runtime

    cli.check_threshold(threshold)
    runtime.start()
    from tfrespam.serving import saved_model

    path = model or saved_model.newest(Experiment().models_dir)
    if path is None:
        raise UserError("no exported model found under saved_models/. Name one with --model, or make one with: "
                        "python -m tfrespam.train")
    exported = saved_model.load(path)
    if postprocessing == "dense_crf":
        from tfrespam.evaluation.dense_crf import DenseCRF, Refined

        exported = Refined(exported, DenseCRF())
    if fold is not None and not 0 <= fold <= 4:
        raise UserError(f"--fold must be a fold from 0 to 4. Received: {fold}")
    data = _data_config(exported.metadata, protocol, fold, dataset)
    prepared = choose(data_dir or Experiment().data_dir, data, named=dataset is not None)
    folder = Path(output)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one(folder, "Wait for it, or choose another --output"):
        say(judge(exported, prepared, data, split, folder, threshold, postprocessing), folder)


def _data_config(metadata: dict, protocol: str | None, fold: int | None, dataset: str | None) -> DataConfig:
    """The model's own data configuration, with what the user names instead."""
    named = {"protocol": protocol, "fold": fold, "dataset": dataset}
    return DataConfig.of(metadata.get("data", {}) | {key: value for key, value in named.items() if value is not None})


def choose(data_dir: str, data: DataConfig, named: bool = False):
    """The data set prepared as the model needs it, or else the only one there is. Raises UserError."""
    from tfrespam.data.prepared import all_under, asked_name, find

    candidates = [each for each in all_under(data_dir) if not named or each.name == data.dataset]
    own = asked_name(data)
    exact = [each for each in candidates if each.path.name == own and each.name == data.dataset]
    if len(exact) == 1:
        return exact[0]
    if len(candidates) == 1:
        cli.console.print(f"the model was trained on {data.dataset}/{own}; judging it on {candidates[0].path}")
        return candidates[0]
    return find(data_dir, data)


def judge(exported, prepared, data: DataConfig, split: str, output: Path, threshold: float | None = None,
          postprocessing: str = "none") -> dict:  # fmt: skip
    """Judges `exported` on one split; writes per_image.csv, calibration.csv and summary.json, returns the summary.

    `postprocessing` is what `exported` does to its answers, for the summary. For whole films "detection" is added
    there, see `tfrespam.evaluation.detection`, and candidates.csv is written.
    """
    from tfrespam import provenance
    from tfrespam.data import protocols
    from tfrespam.evaluation import detection
    from tfrespam.evaluation.probability_counts import ProbabilityCounts
    from tfrespam.evaluation.summary import per_image_rows, summarise
    from tfrespam.evaluation.trivial import trivial_dice
    from tfrespam.files import write_csv, write_json

    started = time.perf_counter()
    metadata = exported.metadata
    if data.second != "none" and _scans(exported, prepared):
        raise UserError(f"the model takes pairs of crops, and no whole films as {prepared.path} holds them")
    known = set(prepared.table["film_id"])
    exclude = tuple(film for film in data.exclude_films if film in known)
    if exclude:
        cli.console.print(f"left out, as in its training: {len(exclude)} films (data.exclude_films)")
    seed = metadata.get("seed") or 0
    parts = protocols.parts(prepared.table, data.protocol, data.fold, seed, exclude)
    judged = parts[split]
    if not judged.any():
        filled = ", ".join(f"{name} ({part.sum()})" for name, part in parts.items() if part.any())
        raise UserError(f"split {split!r} of protocol {data.protocol!r} holds no example in {prepared.path}. "
                        f"Splits with examples: {filled or 'none'}")
    audit = protocols.leak_audit(prepared.table, judged, metadata.get("trained_on"))
    foreign = protocols.of_other_sources(prepared.table, judged, metadata.get("trained_on"))
    if split != "train" and not foreign:
        protocols.refuse_leaks(audit, data.protocol, split)
    if prepared.name != metadata.get("data", {}).get("dataset", prepared.name) and not judged.all():
        cli.console.print(f"judging {judged.sum()} of {len(judged)} examples, the {split} part of fold {data.fold}; "
                          "--protocol all --split train judges all that are on no test list")
    if threshold is None:
        threshold = metadata.get("film_threshold" if _scans(exported, prepared) else "threshold", 0.5)
    table = {name: values[judged] for name, values in prepared.table.items()}
    findings, counts = [], ProbabilityCounts()
    pairs = counts.watch(_predictions(exported, prepared, judged, data.second))
    if prepared.facts["view"] == "film":
        pairs = _watched(pairs, threshold, findings)
    rows = per_image_rows(table, pairs, threshold)
    context = {
        "model": metadata.get("model", ""), "experiment": metadata.get("experiment", ""), "dataset": prepared.name,
        "protocol": data.protocol, "split": split, "threshold": threshold, "leak_audit": audit,
        "parameters": metadata.get("parameters"), "flops": metadata.get("flops"),
        "seconds": round(time.perf_counter() - started, 2), "versions": provenance.versions(),
        "command": provenance.command(), "seed": seed, "git": provenance.git(),
    }  # fmt: skip
    trivial = trivial_dice(masks(prepared, judged), _trivial_masks(metadata, prepared, parts["train"]))
    settings = {name: metadata[name] for name in SETTINGS if name in metadata}
    origin = {"data_sha256": prepared.digest, "machine": provenance.machine(), "settings": settings}
    origin |= {"of_other_sources": True} if foreign else {}
    origin |= {"postprocessing": postprocessing} if postprocessing != "none" else {}
    summary = {**summarise(rows, trivial, context), **origin}
    (output / "summary.json").unlink(missing_ok=True)  # what is written below is a judgement only with it
    (output / "candidates.csv").unlink(missing_ok=True)
    if findings:
        summary["detection"] = {"score": "max", **detection.detection_scores(findings, table["patient_id"])}
        write_csv(output / "candidates.csv", detection.candidate_rows(table["film_id"], findings), detection.FIELDS)
    write_csv(output / "per_image.csv", rows)
    write_csv(output / "calibration.csv", counts.rows())
    write_json(output / "summary.json", summary)
    return summary


def masks(prepared, chosen):
    """Reference masks (N, H, W) bool of the chosen examples, in the order of index.csv."""
    import numpy as np

    from tfrespam.data import pipeline

    with pipeline.damage_told(prepared):
        batches = pipeline.evaluation(prepared, chosen, batch_size=64).as_numpy_iterator()
        return np.concatenate([mask[..., 0] > 0 for _, mask in batches])


def _trivial_masks(metadata: dict, prepared, train):
    """Those fitted where the model was trained, or else on this data set's training part."""
    from tfrespam.evaluation.trivial import TrivialMasks

    if "trivial_masks" in metadata and _view(metadata) == prepared.facts["view"]:
        return TrivialMasks.from_dict(metadata["trivial_masks"])
    return TrivialMasks.fit(masks(prepared, train) if train.any() else [])


def _view(metadata: dict) -> str:
    return dict(metadata.get("data") or {}).get("view", "roi")


def _scans(exported, prepared) -> bool:
    """Whether a network that was trained on crops is to find masses on whole films."""
    return prepared.facts["view"] == "film" and _view(exported.metadata) == "roi"


def _watched(pairs: Iterator, threshold: float, findings: list) -> Iterator:
    """The pairs of `_predictions`; what is found on each film is appended to `findings` on the way."""
    from tfrespam.evaluation.detection import find

    for reference, probability in pairs:
        findings.append(find(reference, probability, threshold))
        yield reference, probability


def _predictions(exported, prepared, chosen, second: str = "none") -> Iterator:
    """(reference (H, W) bool, probability (H, W) float32) for each chosen example, under a progress bar."""
    import numpy as np

    from tfrespam.data import pipeline

    segment = exported.scan_images if _scans(exported, prepared) else exported.predict_images
    bar, advance = cli.progress("judging", int(chosen.sum()))
    with bar, pipeline.damage_told(prepared):
        batches = pipeline.evaluation(prepared, chosen, batch_size=8, second=second)
        for images, references in batches.as_numpy_iterator():
            for reference, probability in zip(references, segment(images), strict=True):
                advance()
                if not np.isfinite(probability).all():
                    raise UserError("the model answers with NaN, which is no probability. Nothing was judged. Export "
                                    "it again from its run: python -m tfrespam.export")
                yield reference[..., 0] > 0, probability[..., 0]


def say(summary: dict, output: Path) -> None:
    """Prints the headline of a summary."""
    dice, miou = summary["metrics"]["dice"], summary["metrics"]["miou"]
    low, high = dice["image_ci95"]
    trivial = ", ".join(f"{name} {value:.3f}" for name, value in summary["trivial"].items())
    cli.console.print(
        f"{summary['split']} ({summary['protocol']}): {summary['n_images']} pictures of "
        f"{summary['n_patients']} patients\n"
        f"Dice {dice['image']:.4f} (95 % by patients {low:.4f}-{high:.4f}), pooled {dice['pooled']:.4f}; "
        f"mIoU {miou['image']:.4f}; skill {summary['skill']:.3f} over trivial masks ({trivial}); "
        f"coverage {summary['coverage']:.3f}")
    for caveat in _caveats(summary):
        cli.console.print(caveat)
    if "detection" in summary:
        _say_detection(summary["detection"])
    cli.console.print(f"{output / 'summary.json'}")


def _caveats(summary: dict) -> Iterator[str]:
    """What keeps the score from being one of new patients."""
    seen = summary["leak_audit"]["patient"]
    if seen and summary.get("of_other_sources"):
        yield (f"{seen} of them have the ids of patients that the model was trained on, who are of another data set: "
               "chance, unless one data set is a copy of the other")
        return
    if summary["split"] == "train":
        return
    if seen is None:
        yield "what the model was trained on is not recorded with it: whether it has seen these patients is unknown"
    elif seen:
        yield f"{seen} of them show patients that the model was trained on: no score of new patients"
    elif summary["split"] == "validation" and summary.get("settings", {}).get("training", {}).get("select") == "best":
        yield ("the weights are those of the epoch with the best Dice on these pictures (training.select best): the "
               "score is a little too good")


def _say_detection(found: dict) -> None:
    cli.console.print(f"{found['n_lesions']} masses, {found['n_candidates']} candidates; share of the masses found "
                      "at 0.5, 1 and 2 false alarms a film (95 % by patients):")  # fmt: skip
    for name, results in found.items():
        if name.startswith("iou_"):
            values = ["{} ({}-{})".format(*map(_three, (row["value"], *row["ci95"])))
                      for row in results["sensitivity"].values()]  # fmt: skip
            end = results["all_candidates"]
            cli.console.print(f"  IoU >= {name.removeprefix('iou_')}: {', '.join(values)}; all candidates: "
                              f"{_three(end['sensitivity'])} at {end['fp_per_image']:.2f}")  # fmt: skip


def _three(value: float | None) -> str:
    """Three digits; JSON's null, and NaN, where no film holds a mass."""
    return "unknown" if value is None or value != value else f"{value:.3f}"


def main() -> None:
    cli.run(evaluate)


if __name__ == "__main__":
    main()
