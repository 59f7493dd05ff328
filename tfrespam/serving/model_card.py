"""A model's card, in the sections of Mitchell et al., "Model Cards for Model Reporting" (2019), from its metadata."""

from collections.abc import Mapping
from typing import Any

METRICS = {"dice": "Dice", "iou": "IoU of mass", "miou": "mean IoU of mass and background",
           "precision": "precision", "sensitivity": "sensitivity", "specificity": "specificity"}  # fmt: skip
PLURALS = {"copy": "lesions", "film": "films", "breast": "breasts", "patient": "patients"}
VIEWS = {
    "roi": "Square crops around a mass that somebody or something has already found. It has never seen a whole film "
           "and gives a mass in nearly every picture: it outlines, it does not detect.",
    "film": "The whole breast on one film, its aspect kept.",
}  # fmt: skip

SOURCES = {  # data set -> licence and citation, limits
    "cbis_ddsm_mass": (
        "CBIS-DDSM, CC BY 3.0: R. Sawyer-Lee, F. Gimenez, A. Hoogi, D. Rubin, The Cancer Imaging Archive, 2016, "
        "doi 10.7937/K9/TCIA.2016.7O02S9CY; R. S. Lee et al., Sci. Data 4:170177, 2017",
        "The pictures are film of 1988 to 1999, digitised: digital detectors give other grey values, and have not been "
        "tried. The reference outlines come from a level-set method; with a radiologist's own they agree to a Dice of "
        "0.79 (Lee et al. 2017, 118 films)."),
}  # fmt: skip


def model_card(metadata: Mapping[str, Any]) -> str:
    """Markdown from what metadata.json holds; a section whose facts are unknown says so."""
    sections = {
        "Model details": _details(metadata),
        "Intended use": _use(metadata),
        "Factors": _factors(),
        "Metrics": _metrics(metadata),
        "Evaluation data": _evaluation(metadata),
        "Training data": _training(metadata),
        "Quantitative analyses": _scores(metadata),
        "Ethical considerations": _ethics(),
        "Caveats and recommendations": _caveats(metadata),
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return f"# Model card: {metadata['name']}, version {metadata['version']}\n\n{body}\n"


def _pictures(known: Mapping[str, Any]) -> str:
    count = known.get("channels", 1)
    return "one grey picture" if count == 1 else f"{count} grey pictures of a breast, each a channel, black if missing"


def _details(known: Mapping[str, Any]) -> str:
    facts = {
        "Network": _network(known),
        "Trainable and other parameters": f"{known['parameters']:,}",
        "Floating-point operations for one picture": f"{known['flops']:,}",
        "Input": f"{_pictures(known)}, bright = dense, of any size; the graph resizes to {known['image_size']} x "
                 f"{known['image_size']} pixels, aspect {'kept' if known['keep_aspect'] else 'not kept'}",
        "Output": "a probability for each pixel to belong to a mass, at the picture's own size; mask from "
                  f"{known['threshold']:g} up, on whole films from {known.get('film_threshold', known['threshold']):g}",
        "Made": f"{known['created']}, tfrespam {known['versions'].get('tfrespam', '')}, source "
                f"{known['git'] or 'unknown'}",
        "SHA-256 of graph and weights": f"`{known.get('sha256', 'unknown')}`",
        "Licence": known["licence"],
    }  # fmt: skip
    return "\n".join(f"- {name}: {value}" for name, value in facts.items())


def _network(known: Mapping[str, Any]) -> str:
    name = known.get("model") or "a Keras model of unrecorded origin"
    width = f", width {known['width']:g}" if known.get("width") else ""
    several = f", {len(known['weights'])} trainings averaged" if len(known.get("weights", [])) > 1 else ""
    views = known.get("views", "none")
    return name + width + several + (f", averaged over {views} of each picture" if views != "none" else "")


def _use(known: Mapping[str, Any]) -> str:
    view = VIEWS.get(dict(known.get("data") or {}).get("view", ""), "Which pictures it was made for is not recorded.")
    return (f"Segmentation of breast masses in mammograms, for {known['intended_use']}.\n\n{view}\n\n"
            "Out of scope: diagnosis, screening, triage, treatment planning; calcifications, distortions and "
            "asymmetries without a mass; ultrasound, tomosynthesis, MRI.")  # fmt: skip


def _factors() -> str:
    return ("Likely to matter: digitised film or digital detector and its vendor, processing of the picture, breast "
            "density, size and margins of the mass, view (CC or MLO), implants. The per-image table of an evaluation "
            "(`per_image.csv`) holds those of them that the source tells, so that scores can be split by them. Age, "
            "ethnicity and country are not in the source and have not been looked at.")  # fmt: skip


def _metrics(known: Mapping[str, Any]) -> str:
    return ("Dice and IoU of each picture, averaged over pictures, with 95 % intervals that resample patients, at "
            f"threshold {known['threshold']:g}. Skill = (Dice - best Dice of a mask that looks at no picture) / "
            f"(1 - that Dice).{_calibration(known.get('calibration'))}")  # fmt: skip


def _calibration(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    error = found["expected_calibration_error"]
    return (f"\n\nProbabilities were divided, as logits, by the temperature {found['temperature']:.3f}, fitted on "
            f"{found['pictures']} held-out pictures of {found['patients']} patients: expected calibration error over "
            f"pixels {error['before']:.4f} before, {error['after']:.4f} after, on the same pictures (reliability.png).")


def _evaluation(known: Mapping[str, Any]) -> str:
    if not known.get("metrics"):
        return "Not recorded with this version."
    lines = [f"- {split}: {score['n_images']} pictures of {score['n_patients']} patients, data set "
             f"{score['dataset']}, protocol {score['protocol']}; lesions with their own copy, film, breast or patient "
             f"in training: {', '.join(f'{kind} {count}' for kind, count in score['leak_audit'].items())}"
             for split, score in known["metrics"].items()]  # fmt: skip
    if any(split.startswith("held out") for split in known["metrics"]):
        lines.append("\nHeld out means: each picture was judged by a run of these settings that had not seen its "
                     "patient. The weights of this version may have.")  # fmt: skip
    return "\n".join(lines)


def _training(known: Mapping[str, Any]) -> str:
    data, dataset = dict(known.get("data") or {}), dict(known.get("dataset") or {})
    if not data:
        return "Not recorded with this version."
    trained_on = known.get("trained_on") or {}
    counts = ", ".join(f"{len(seen)} {PLURALS[kind]}" for kind, seen in trained_on.items()
                       if kind in PLURALS and isinstance(seen, list))  # fmt: skip
    source = dataset.get("source") or data.get("dataset")
    lines = [f"- Data set: {data.get('dataset')} (source: {source}), protocol {data.get('protocol')}"]
    lines += [f"- Distinct in training: {counts}; metadata.json holds their hashes, no names"] if counts else []
    if left_out := data.get("exclude_films"):
        lines += [f"- Left out of training and of the scores: {len(left_out)} films, {', '.join(left_out)}"]
    lines += [f"- Pictures: {data.get('view')}, context {data.get('context')}, {data.get('image_size')} pixels"]
    lines += [f"- Licence and citation: {SOURCES[data['dataset']][0]}"] if data.get("dataset") in SOURCES else []
    return "\n".join(lines)


def _scores(known: Mapping[str, Any]) -> str:
    if not known.get("metrics"):
        return "This version has not been judged as a whole; run `python -m tfrespam.evaluate --model` on it."
    return "\n\n".join(_table(split, score) for split, score in known["metrics"].items())


def _table(split: str, score: Mapping[str, Any]) -> str:
    rows = [f"| {title} | {_number(score['metrics'][name]['image'])} | {_interval(score['metrics'][name])} |"
            for name, title in METRICS.items() if name in score["metrics"]]  # fmt: skip
    skill = f"\n\nSkill {_number(score['skill'])}, median coverage {_number(score['coverage'])}."
    return f"{split}:\n\n| score | mean over pictures | 95 % |\n|---|---|---|\n" + "\n".join(rows) + skill


def _interval(score: Mapping[str, Any]) -> str:
    low, high = score.get("image_ci95") or (None, None)
    return f"{_number(low)} to {_number(high)}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.3f}"


def _ethics() -> str:
    return ("Trained on pictures of patients who cannot be asked again, under the licence of the data set. The weights "
            "hold no picture, and the metadata holds hashes in place of patients. A mask that looks precise invites "
            "trust that the scores above may not justify.")  # fmt: skip


def _caveats(known: Mapping[str, Any]) -> str:
    phantom = " The training pictures were generated: the scores say nothing about mammograms." if (
        "phantom" in str(dict(known.get("data") or {}).get("dataset", ""))) else ""  # fmt: skip
    limits = SOURCES.get(dict(known.get("data") or {}).get("dataset"), ("", ""))[1]
    return ("Judge it on pictures of your own before using its numbers. Scores under a protocol that leaks (see the "
            "counts above) do not carry over to new patients. Scores of crops depend on how tightly they are cut: "
            "read them beside the coverage and the skill."
            + "".join(f" {each.strip()}" for each in (phantom, limits, known.get("note", "")) if each))  # fmt: skip
