"""Ask whether a second look at the candidates of whole films rejects false positives.

    python experiments/candidate_verdict.py experiments/results/films/fold0 experiments/results/films/fold1 \\
        --data datasets/cbis_ddsm_mass/film-512x288 --output experiments/results/films

A verdict is a logistic regression that gives each candidate a new score. It is fitted to the candidates of the other
folders, of other patients, and is judged on those of this one. "shape" knows the candidate's score, area, form and
place; "look" also the first 8 principal components of what EfficientNet-Lite0 with ImageNet weights sees in crops 1.6
and 3 times as long as the candidate. Writes verdict.csv. Needs the extras [tune] and [imagenet].
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from tfrespam.core import runtime
from tfrespam.core.files import by_relative_path, read_csv, write_csv
from tfrespam.data.geometry import crop
from tfrespam.evaluation.average_precision import average_precision
from tfrespam.evaluation.candidates import Candidate
from tfrespam.evaluation.detection import CRITERIA, Finding, Match
from tfrespam.evaluation.froc import detection_scores
from tfrespam.evaluation.platt_scaling import logit

SIDE, CONTEXTS = 96, (1.6, 3.0)
SHAPES = 6  # features of `shape`
RATES = (0.25, 0.5, 1.0)


def films_of(path: Path) -> dict[str, tuple[np.ndarray, np.ndarray, str]]:
    """Return image (H, W) float32, mask (H, W) bool and patient of each film of the training list."""
    import tfrespam as tr

    examples = tr.data.load(path).examples("train", "all")
    images, masks = examples.arrays()
    names = (examples.table[name] for name in ("film_id", "patient_id"))
    return {film: (image[..., 0], mask[..., 0] > 0.5, patient)
            for film, patient, image, mask in zip(*names, images, masks, strict=True)}  # fmt: skip


def box(row: dict) -> tuple[int, ...]:
    return tuple(int(row[side]) for side in ("y0", "x0", "y1", "x1"))


def shape(row: dict, size: tuple[int, int]) -> list[float]:
    area = float(row["area_px"])
    y0, x0, y1, x1 = box(row)
    return [logit(float(row["score"])), np.log(area), float(row["longest_diameter_px"]) / area**0.5,
            area / ((y1 - y0) * (x1 - x0)), float(row["row"]) / size[0], float(row["column"]) / size[1]]  # fmt: skip


def look_at(image: np.ndarray, row: dict, context: float) -> np.ndarray:
    """Return the square around a candidate, resized to SIDE pixels, black outside the image."""
    return crop.resize_image(crop.cut(image, crop.square_with_context(box(row), context)), SIDE)


def encoder():
    """Return a function from crops (N, SIDE, SIDE, 1) to the means of EfficientNet-Lite0's feature maps (N, C)."""
    import keras

    import tfrespam as tr

    image = keras.Input((SIDE, SIDE, 1))
    model = tr.build_model("backbone_unet", (SIDE, SIDE, 1), normalization="standardize", weights="imagenet")
    joins = [layer.input for layer in model.layers if layer.name.startswith("join")]
    maps = [joins[0][0], *(inputs[1] for inputs in joins)]  # the coarsest, upsampled, and those at strides 16 to 2
    features = keras.Model(model.input, [keras.layers.GlobalAveragePooling2D()(each) for each in maps])(image)
    network = keras.Model(image, keras.layers.Concatenate()(features))
    return lambda crops: network.predict(crops, batch_size=64, verbose=0)


def look(rows: list[dict], films: dict, encode) -> np.ndarray:
    """Return the encoder's features of each candidate in all contexts, averaged over the mirror image."""
    found = []
    for context in CONTEXTS:
        crops = np.stack([look_at(films[row["film_id"]][0], row, context) for row in rows])[..., np.newaxis]
        found.append((encode(crops) + encode(crops[:, :, ::-1])) / 2)
    return np.concatenate(found, axis=1)


def findings(rows: list[dict], scores: np.ndarray, films: dict, held_out: list[str]) -> list[Finding]:
    """Return one finding a film, with the new scores. Of several lesions, a candidate overlaps the nearest."""
    found = {}
    for film in held_out:
        count, _, _, centres = cv2.connectedComponentsWithStats(films[film][1].astype(np.uint8), connectivity=8)
        found[film] = count - 1, centres[1:, ::-1], []
    for row, score in zip(rows, scores.tolist(), strict=True):
        lesions, centres, matches = found[row["film_id"]]
        place = float(row["row"]), float(row["column"])
        nearest = int(np.argmin(np.hypot(*(centres - place).T))) if lesions else -1
        overlaps = [[float(row[name]) * (lesion == nearest) for lesion in range(lesions)]
                    for name in ("best_iou", "best_box_iou")]  # fmt: skip
        candidate = Candidate(score, box(row), place, int(row["area_px"]), float(row["longest_diameter_px"]))
        matches.append(Match(candidate, *map(tuple, overlaps)))
    return [Finding(lesions, tuple(sorted(matches, key=lambda each: -each.score)))
            for lesions, _, matches in found.values()]  # fmt: skip


def verdicts(known: dict[str, dict], name: str) -> dict[str, np.ndarray]:
    """Return the scores of a folder's candidates: as they are, and by verdicts fitted to the other folders."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import FeatureUnion, make_pipeline
    from sklearn.preprocessing import FunctionTransformer, StandardScaler

    others = [each for other, each in known.items() if other != name]
    features, hits = (np.concatenate([each[key] for each in others]) for key in ("features", "hits"))
    shapes = make_pipeline(FunctionTransformer(lambda all_: all_[:, :SHAPES]), StandardScaler())
    looks = make_pipeline(FunctionTransformer(lambda all_: all_[:, SHAPES:]), StandardScaler(),
                          PCA(8, whiten=True, random_state=0))  # fmt: skip
    found = {"score alone": np.array([float(row["score"]) for row in known[name]["rows"]])}
    for label, parts in (("shape", [("shape", shapes)]), ("look", [("shape", shapes), ("look", looks)])):
        verdict = make_pipeline(FeatureUnion(parts), LogisticRegression(C=0.03)).fit(features, hits)
        found[label] = verdict.predict_proba(known[name]["features"])[:, 1]
    return found


def judged(judged_films: list[Finding], patients: list[str]) -> dict[str, str]:
    """Return sensitivities (IoU of at least 0.1) and AP50 of masks, in percent with 95 % intervals by patients."""
    sensitivity = detection_scores(judged_films, patients, rates=RATES)[f"iou_{CRITERIA[0]:g}"]["sensitivity"]
    values = {f"found at {rate:g}": sensitivity[f"fp_{rate:g}"] for rate in RATES}
    values["AP50"] = average_precision(judged_films, patients)
    return {name: "{:.1f} ({:.0f}-{:.0f})".format(*(100 * np.array([each["value"], *each["ci95"]])))
            for name, each in values.items()}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path, help="evaluations of at least two folds")
    parser.add_argument("--data", type=Path, required=True, help="the prepared film data set")
    parser.add_argument("--output", type=Path, required=True)
    asked = parser.parse_args()
    if len(by_relative_path(asked.folders)) < 2:
        parser.error("a verdict needs other folders to be fitted to: name at least two")
    runtime.load_tensorflow()
    films, encode, known = films_of(asked.data), encoder(), {}
    for name, folder in by_relative_path(asked.folders).items():
        rows = read_csv(folder / "candidates.csv")
        shapes = np.array([shape(row, films[row["film_id"]][0].shape) for row in rows])
        known[name] = {"rows": rows, "features": np.concatenate([shapes, look(rows, films, encode)], axis=1),
                       "hits": np.array([float(row["best_iou"]) >= CRITERIA[0] for row in rows]),
                       "films": [row["film_id"] for row in read_csv(folder / "per_image.csv")]}  # fmt: skip
    written = []
    for name, each in known.items():
        patients = [films[film][2] for film in each["films"]]
        for label, scores in verdicts(known, name).items():
            values = judged(findings(each["rows"], scores, films, each["films"]), patients)
            written.append({"folder": name, "verdict": label, **values})
            print(*written[-1].values(), sep="\t")
    write_csv(asked.output / "verdict.csv", written)


if __name__ == "__main__":
    main()
