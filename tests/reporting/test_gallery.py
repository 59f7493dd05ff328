"""Images on the page of results."""

import csv
import json
import re
import shutil

from parsed_page import Page

from tfrespam.report import report
from tfrespam.training.run_results import RunResults


def test_gallery_and_failures_follow_the_ranking_of_rows(made, trained):
    with open(trained[1] / "test" / "per_image.csv", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: -float(row["dice"]))
    assert f"run1-best-{rows[0]['lesion_id']}" in made[1].ids and f"run1-worst-{rows[-1]['lesion_id']}" in made[1].ids
    failed = {f"run1-failed-{row['lesion_id']}" for row in rows if float(row["dice"]) < 0.5}
    assert {name for name in made[1].ids if name.startswith("run1-failed-")} == failed
    cases = [name for name in made[1].ids if re.match("run1-(best|median|worst|failed)-", name)]
    assert len(made[1].images) == len(cases)


def test_outlines_come_from_the_exported_model(trained, prepared):
    import base64

    import cv2
    import numpy as np

    from tfrespam.evaluation.overlay import REFERENCE
    from tfrespam.studies.reporting import gallery

    judged = RunResults.read(trained[1])
    row = judged.images[0]
    (picture,) = gallery.draw(judged, [row], f"{trained[0].models_dir}/exp", None).values()
    pixels = cv2.imdecode(np.frombuffer(base64.b64decode(picture.data.partition(",")[2]), np.uint8), cv2.IMREAD_COLOR)
    assert pixels.shape == (gallery.SIDE, 2 * gallery.SIDE, 3)
    cyan = (cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB) == REFERENCE).all(-1)
    assert not cyan[:, : gallery.SIDE].any() and cyan[:, gallery.SIDE :].any()


def test_images_of_another_data_set_are_not_shown(trained, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(trained[1], folder)
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"data_sha256": "other"}))
    report(str(folder), output=str(tmp_path / "out.html"))
    page = Page((tmp_path / "out.html").read_text())
    assert "these scores are of other examples than those in" in page.text and not page.images
