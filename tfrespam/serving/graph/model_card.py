"""Write a model card with the sections of Mitchell et al., "Model Cards for Model Reporting" (2019)."""

from collections.abc import Mapping
from typing import Any

METRICS = {"dice": "Dice", "iou": "IoU of mass", "miou": "mean IoU of mass and background",
           "precision": "precision", "sensitivity": "sensitivity", "specificity": "specificity"}  # fmt: skip
PLURALS = {"copy": "lesions", "film": "films", "breast": "breasts", "patient": "patients"}
VIEWS = {
    "roi": "Crops around a mass that was found before, {crops}. The network was never trained on whole films and "
           "predicts a mass in nearly every image: it segments, it does not detect.",
    "film": "Segmentation of the whole breast on one film, at its aspect ratio.",
}  # fmt: skip

AUGMENTED = {  # views of test-time augmentation, as in `tfrespam.models.ensemble.VIEWS`
    "mirror": "each image and its mirror image",
    "flips": "four mirrored and rotated copies of each image",
    "dihedral": "eight mirrored and rotated copies of each image",
}
SOURCES = {  # data set -> licence and citation, limits
    "cbis_ddsm_mass": (
        "CBIS-DDSM, CC BY 3.0: R. Sawyer-Lee, F. Gimenez, A. Hoogi, D. Rubin, The Cancer Imaging Archive, 2016, "
        "doi 10.7937/K9/TCIA.2016.7O02S9CY; R. S. Lee et al., Sci. Data 4:170177, 2017",
        "The images are digitised films of 1988 to 1999: digital detectors give other grey values and were not tested. "
        "The reference outlines come from a level-set method; with a radiologist's own they agree to a Dice of "
        "0.79 (Lee et al. 2017, 118 films)."),
}  # fmt: skip


def model_card(metadata: Mapping[str, Any]) -> str:
    """Return the card as Markdown, from the content of metadata.json; sections say what is unknown."""
    sections = {
        "Model details": _details(metadata),
        "Intended use": _use(metadata),
        "Factors": _factors(),
        "Metrics": _metrics(metadata),
        "Evaluation data": _evaluation(metadata),
        "Training data": _training(metadata),
        "Quantitative analyses": _scores(metadata),
        "Ethical considerations": _ethics(metadata),
        "Caveats and recommendations": _caveats(metadata),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return f"# Model card: {metadata['name']}, version {metadata['version']}\n\n{body}\n"


def _input(known: Mapping[str, Any]) -> str:
    count = known.get("channels", 1)
    return "one grey image" if count == 1 else f"{count} grey images of a breast, one per channel, black if missing"


def _details(known: Mapping[str, Any]) -> str:
    facts = {
        "Network": _network(known),
        "Trainable and other parameters": f"{known['parameters']:,}",
        "Floating-point operations for one image": f"{known['flops']:,}",
        "Input": f"{_input(known)}, bright = dense, of any size; the graph resizes to {known['image_size']} x "
                 f"{known.get('image_width', known['image_size'])} pixels, which "
                 + ("preserves" if known["keep_aspect"] else "may change") + " the aspect ratio",
        "Output": "the probability that a pixel belongs to a mass, at the size of the image; the mask contains the "
                  f"pixels with a probability of at least {known['threshold']:g}, on whole films "
                  f"{known.get('film_threshold', known['threshold']):g}",
        **_candidates(known.get("candidates")),
        "Created": f"{known['created']}, tfrespam {known['versions'].get('tfrespam', '')}, source "
                f"{known['git'] or 'unknown'}",
        "SHA-256 of graph and weights": f"`{known.get('sha256', 'unknown')}`",
        "Licence": known["licence"],
    }  # fmt: skip
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _candidates(rule: Mapping[str, float] | None) -> dict[str, str]:
    """Describe how candidates on a film are found and scored; {} for a model without a rule."""
    if not rule:
        return {}
    slope, intercept = rule.get("score_slope", 1.0), rule.get("score_intercept", 0.0)
    score = "a candidate's highest probability, not calibrated" if (slope, intercept) == (1, 0) else (
        f"Platt scaling of its highest probability, slope {slope:.3f}, intercept {intercept:.3f}: the probability that "
        "it is a mass, on films with as many masses as those to which the scaling was fitted")  # fmt: skip
    return {"Candidates on whole films": f"connected regions with probabilities of at least "
                                         f"{rule['threshold']:g} and an area of at least "
                                         f"{100 * rule.get('least_area', 0):g} % of the image; listed if the score is "
                                         f"at least {rule.get('least_score', 0):.4g}",
            "Score of a candidate": score}  # fmt: skip


def _network(known: Mapping[str, Any]) -> str:
    name = known.get("model") or "a Keras model of unrecorded origin"
    width = f", width {known['width']:g}" if known.get("width") else ""
    several = f", {len(known['weights'])} trainings averaged" if len(known.get("weights", [])) > 1 else ""
    views = known.get("views", "none")
    return name + width + several + (f", averaged over {AUGMENTED.get(views, views)}" if views != "none" else "")


def _use(known: Mapping[str, Any]) -> str:
    view = VIEWS.get(dict(known.get("data") or {}).get("view", ""), "Its training images are not recorded.")
    view = view.format(crops=_crops(known))
    return (f"Segmentation of breast masses in mammograms, for {known['intended_use']}.\n\n{view}\n\n"
            "Out of scope: diagnosis, screening, triage, treatment planning; calcifications, distortions and "
            "asymmetries without a mass; ultrasound, tomosynthesis, MRI.")  # fmt: skip


def _crops(known: Mapping[str, Any]) -> str:
    """Describe the training crops; a network with one context derives the size of a mass from that of the crop."""
    augment, context = dict(known.get("augment") or {}), dict(known.get("data") or {}).get("context")
    if augment.get("context_range"):
        low, high = augment["context_range"]
        shape = {"square": "square", "box": "in the shape of the mass's box", "any": "square or not"}
        return (f"{low:g} to {high:g} times as wide as the mass is long, "
                f"{shape[augment.get('crop_shape', 'square')]}, the mass in the middle or off centre")  # fmt: skip
    return "square" if context is None else (
        f"square and {context:g} times as wide as the mass is long: in tighter crops its masks are too small, in "
        "wider ones too large")  # fmt: skip


def _factors() -> str:
    return ("Likely to matter: digitised film or digital detector and its vendor, image processing, breast "
            "density, size and margins of the mass, view (CC or MLO), implants. The per-image table of an evaluation "
            "(`per_image.csv`) contains those that the source provides, so that scores can be grouped by them. Age, "
            "ethnicity and country are not in the source and were not examined.")  # fmt: skip


def _metrics(known: Mapping[str, Any]) -> str:
    return ("Dice and IoU of each image, averaged over images, with 95 % intervals that resample patients, at "
            f"threshold {known['threshold']:g}. Coverage: share of an image that is mass. Skill: (Dice - T) / (1 - T), "
            "where T is the Dice of the best trivial mask, which does not depend on the image; 0 is no better than "
            f"that mask, 1 is perfect.{_calibration(known.get('calibration'))}")  # fmt: skip


def _calibration(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    error = found["expected_calibration_error"]
    return (f"\n\nTemperature scaling: logits are divided by the temperature {found['temperature']:.3f}, fitted on "
            f"{found['pictures']} held-out images of {found['patients']} patients. Expected calibration error over "
            f"pixels: {error['before']:.4f} before, {error['after']:.4f} after, on the same images (reliability.png).")


def _evaluation(known: Mapping[str, Any]) -> str:
    if not known.get("metrics"):
        return "Not recorded with this version."
    lines = [f"- {_title(split)}: {score['n_images']} images of {score['n_patients']} patients, data set "
             f"{score['dataset']}, protocol {score['protocol']}; lesions with their own copy, film, breast or patient "
             f"in training: {', '.join(f'{kind} {count}' for kind, count in score['leak_audit'].items())}"
             for split, score in known["metrics"].items()]  # fmt: skip
    if any(split.startswith("held out") for split in known["metrics"]):
        lines.append("\nHeld out: each image was evaluated with a run of the same settings that was not trained on its "
                     "patient. The weights of this version may have been trained on it.")  # fmt: skip
    return "\n".join(lines)


def _training(known: Mapping[str, Any]) -> str:
    data, dataset = dict(known.get("data") or {}), dict(known.get("dataset") or {})
    if not data:
        return "Not recorded with this version."
    trained_on = known.get("trained_on") or {}
    counts = ", ".join(f"{len(seen)} {PLURALS[kind]}" for kind, seen in trained_on.items()
                       if kind in PLURALS and isinstance(seen, list)
                       and not (kind == "copy" and data.get("view") == "film"))  # fmt: skip
    source = dataset.get("source") or data.get("dataset")
    lines = [f"- Data set: {data.get('dataset')} (source: {source}), protocol {data.get('protocol')}"]
    lines += [f"- Distinct in training: {counts}; metadata.json contains their hashes, no names"] if counts else []
    if excluded := data.get("exclude_films"):
        lines += [f"- Excluded from training and scores: {len(excluded)} films, {', '.join(excluded)}"]
    drawn = dict(known.get("augment") or {}).get("context_range")
    context = f"{drawn[0]:g} to {drawn[1]:g}, evaluated at {data.get('context')}" if drawn else data.get("context")
    kind = "whole breasts" if data.get("view") == "film" else f"crops around a mass, context {context}"
    size = f"{data.get('image_size')}" + (f" x {data['image_width']}" if data.get("image_width") else "")
    lines += [f"- Images: {kind}, {size} pixels"]
    lines += [f"- Licence and citation: {SOURCES[data['dataset']][0]}"] if data.get("dataset") in SOURCES else []
    return "\n".join(lines)


def _title(split: str) -> str:
    """Correct the plural of "held out by 1 runs", which metadata.json contains."""
    return split.replace("by 1 runs", "by 1 run")


def _scores(known: Mapping[str, Any]) -> str:
    if not known.get("metrics"):
        return "This version has not been evaluated as a whole; run `python -m tfrespam.evaluate --model` on it."
    return "\n\n".join(_table(_title(split), score) for split, score in known["metrics"].items())


def _table(split: str, score: Mapping[str, Any]) -> str:
    rows = [f"| {title} | {_number(score['metrics'][name]['image'])} | {_interval(score['metrics'][name])} |"
            for name, title in METRICS.items() if name in score["metrics"]]  # fmt: skip
    skill = f"\n\nSkill {_number(score['skill'])}, median coverage {_number(score['coverage'])}."
    return f"{split}:\n\n| score | mean over images | 95 % |\n|---|---|---|\n" + "\n".join(rows) + skill + _found(
        score.get("detection"))


def _found(detection: Mapping[str, Any] | None) -> str:
    """Return the table of masses found on whole films, "" for crops."""
    if not detection:
        return ""
    rows = [(f"found at {rate.removeprefix('fp_')} false positives per film, IoU ≥ {criterion}", cell)
            for criterion in ("0.1", "0.5")
            for rate, cell in detection[f"iou_{criterion}"]["sensitivity"].items()]  # fmt: skip
    rows += [(f"AP50, {kind}", detection[f"ap50_{key}"]) for kind, key in (("masks", "mask"), ("boxes", "box"))
             if f"ap50_{key}" in detection]  # runs of earlier releases have none
    lines = [f"| {name} | {_number(cell['value'])} | {_number(cell['ci95'][0])} to {_number(cell['ci95'][1])} |"
             for name, cell in rows]  # fmt: skip
    head = f"Of {detection['n_lesions']} masses on whole films:\n\n| score | value | 95 % |\n|---|---|---|\n"
    return "\n\n" + head + "\n".join(lines)


def _interval(score: Mapping[str, Any]) -> str:
    low, high = score.get("image_ci95") or (None, None)
    return f"{_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return "unknown" if value is None or value != value else f"{value:.3f}"


def _ethics(known: Mapping[str, Any]) -> str:
    images = ""
    if _is_phantom(known):
        images = "The training images were generated; they show no patients. "
    elif known.get("data"):
        images = ("The model was trained on images of patients under the licence of the data set; these patients "
                  "cannot be asked for consent again. ")  # fmt: skip
    return (images + "The weights contain no image, and the metadata contains hashes of patients. A mask "
            "that looks precise suggests more accuracy than the scores above may justify.")  # fmt: skip


def _is_phantom(known: Mapping[str, Any]) -> bool:
    return "phantom" in str(dict(known.get("data") or {}).get("dataset", ""))


def _caveats(known: Mapping[str, Any]) -> str:
    phantom = " The training images were generated: the scores say nothing about mammograms." * _is_phantom(known)
    limits = SOURCES.get(dict(known.get("data") or {}).get("dataset"), ("", ""))[1]
    return ("Evaluate it on your own images before using its results. Scores under a protocol that leaks (see the "
            "counts above) do not apply to new patients. Scores of crops depend on their margin: "
            "consider coverage and skill with them."
            + "".join(f" {each.strip()}" for each in (phantom, limits, known.get("note", "")) if each))  # fmt: skip
