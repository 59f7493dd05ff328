"""Other data sets and image pairs in the stages prepare, train and evaluate."""

import json

import other_sets
import pytest
import tiny

from tfrespam.config_checks import check
from tfrespam.core.errors import UserError
from tfrespam.data.loading.prepared import Prepared, all_under
from tfrespam.evaluate import evaluate
from tfrespam.export import export
from tfrespam.models import BUILDERS
from tfrespam.predict import predict
from tfrespam.training.runs import run_folder
from tfrespam.workflows.preparation import prepare_source
from tfrespam.workflows.training import train


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Every data set except CBIS-DDSM, prepared as crops of 32 pixels."""
    sources, home = (tmp_path_factory.mktemp(name) for name in ("sources", "datasets"))
    films = "".join(f"mdb{n:03} F CIRC B {100 + 5 * n} 120 {20 + n}\n" for n in range(1, 15))
    other_sets.write_mias(sources / "all-mias", "REFNUM\n" + films, 256)
    other_sets.write_busi(sources / "Dataset_BUSI_with_GT", 6, 4)
    ellipse = {"name": "ellipse", "cx": 40, "cy": 60, "rx": 12, "ry": 20, "theta": 0}
    other_sets.write_cesm(sources / "CDD-CESM", [
        (f"P{patient}_L_{kind}_CC.jpg", ellipse) for patient in range(1, 9) for kind in ("DM", "CM")])  # fmt: skip
    for number in range(1, 7):
        other_sets.put_inbreast_film(sources / "INbreast", number, f"patient{number // 2}")
        other_sets.annotate_inbreast(sources / "INbreast", number, [("Mass", [(10, 20), (24, 20), (24, 31), (10, 31)])])
        other_sets.write(sources / "My own" / "images" / f"{number}.png", other_sets.picture(number, (60, 40)))
        other_sets.write(sources / "My own" / "masks" / f"{number}.png", other_sets.disk((20, 30), 9, (60, 40)))
    rows = "".join(f"{number},p{number // 2}\n" for number in range(1, 7))
    (sources / "My own" / "patients.csv").write_text("image,patient_id\n" + rows)
    for source in sorted(sources.iterdir()):
        prepare_source(source, home, None, "roi", 1.6, 32, workers=1)
    return home


@pytest.mark.parametrize(("name", "examples", "patients"), [
    ("inbreast", 6, 4), ("my_own", 6, 4), ("mini_mias", 14, 7), ("busi", 11, 10), ("cdd_cesm", 16, 8)])  # fmt: skip
def test_each_data_set_is_prepared_with_its_patients_in_one_fold(home, name, examples, patients):
    prepared = Prepared(home / name / "roi-1.6-32")
    table = prepared.table
    assert (prepared.facts["examples"], prepared.facts["patients"]) == (examples, patients)
    assert set(table["source"]) == {name} and (table["mass_pixels"] > 0).all()
    assert len({*zip(table["patient_id"], table["fold"], strict=True)}) == patients


def test_ultrasound_images_cannot_be_prepared_as_films(tmp_path):
    other_sets.write_busi(tmp_path, 1, 1)
    with pytest.raises(UserError, match="`view` film cannot be made from busi. Expected: roi"):
        prepare_source(tmp_path, tmp_path, None, "film", 1.6, 32)


@pytest.mark.slow
def test_circles_can_be_trained_with_the_box_loss(home, tmp_path):
    experiment = tiny.experiment(tmp_path, home, data__dataset="mini_mias", data__protocol="folds",
                                 training__loss="box", augment__rotation_degrees=0.0, training__epochs=1)  # fmt: skip
    train(experiment)
    summary = json.loads((run_folder(experiment) / "summary.json").read_text())
    assert summary["dataset"] == "mini_mias" and set(summary["leak_audit"].values()) == {0}


@pytest.fixture(scope="module")
def paired(home, tmp_path_factory):
    """The experiment of tiny.py on images with and without contrast agent."""
    known, BUILDERS["multi_input"] = BUILDERS["multi_input"], tiny.network
    try:
        experiment = tiny.experiment(tmp_path_factory.mktemp("paired"), home, data__dataset="cdd_cesm",
                                     data__protocol="folds", data__second="contrast", model__name="multi_input",
                                     training__epochs=1)  # fmt: skip
        check(experiment)
        train(experiment)
    finally:
        BUILDERS["multi_input"] = known
    return experiment, run_folder(experiment)


@pytest.mark.slow
def test_pairs_are_exported_and_evaluated_as_pairs(paired, home, tmp_path):
    experiment, run = paired
    model = f"{experiment.models_dir}/exp"
    metadata = json.loads((run.parents[2] / "models/exp/1/metadata.json").read_text())
    assert metadata["channels"] == 2 and list(metadata["signatures"]) == ["serving_default"]
    assert "2 grey images" in (run.parents[2] / "models/exp/1/model_card.md").read_text()
    evaluate(str(tmp_path), model, str(home))
    again = json.loads((tmp_path / "summary.json").read_text())
    assert again["metrics"] == json.loads((run / "summary.json").read_text())["metrics"]


@pytest.mark.slow
def test_an_export_is_calibrated_on_held_out_pairs(paired, home, tmp_path):
    export(str(paired[1]), models_dir=str(tmp_path), calibrate=True)
    metadata = json.loads((tmp_path / "exp" / "1" / "metadata.json").read_text())
    expected = json.loads((paired[1] / "summary.json").read_text())["metrics"]["dice"]["image"]
    assert metadata["metrics"]["held out by 1 runs"]["metrics"]["dice"]["image"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.slow
def test_single_images_and_onnx_are_rejected_for_pairs(paired, home, tmp_path):
    experiment, run = paired
    with pytest.raises(UserError, match="takes 2 images of a breast, not a single file.*tfrespam.evaluate"):
        predict(str(run / "examples"), output=str(tmp_path / "predictions"), model=f"{experiment.models_dir}/exp")
    assert not (tmp_path / "predictions").exists()
    with pytest.raises(UserError, match="`format` onnx requires a network with one input image"):
        export(str(run), models_dir=str(tmp_path), format="onnx")
    assert not all_under(tmp_path)


@pytest.mark.parametrize(("settings", "message"), [
    ({"data__second": "view"}, "multi_input needs one of the two. Received: view with tiny"),
    ({"model__name": "multi_input"}, "multi_input needs one of the two. Received: none with multi_input"),
    ({"data__second": "view", "model__name": "multi_input", "data__protocol": "paper"}, "a protocol other than paper"),
    ({"data__second": "view", "model__name": "multi_input", "augment__recrop": 1.5}, "`augment.recrop` 0"),
])  # fmt: skip
def test_settings_without_valid_pairs_are_rejected(home, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        check(tiny.experiment(tmp_path, home, **settings))


def test_a_data_set_without_partner_images_is_rejected(home, tmp_path):
    experiment = tiny.experiment(tmp_path, home, data__dataset="busi", data__protocol="folds", data__second="view",
                                 model__name="multi_input")  # fmt: skip
    with pytest.raises(UserError, match="no training example of .*busi.* has such a second image"):
        train(experiment)


@pytest.mark.slow
@pytest.mark.parametrize("options", [{}, {"shared_encoder": False, "aligned": True}])
def test_the_late_fusion_network_can_be_trained_on_phantom_pairs(data_dir, prepared, tmp_path, options):
    from same_bits import fitted, history

    experiment = tiny.experiment(tmp_path, data_dir, data__second="view", model__name="multi_input",
                                 model__width=1 / 16, model__options={"normalization": "standardize", **options},
                                 training__epochs=12, training__learning_rate=3e-3)  # fmt: skip
    fitted(experiment, prepared, tmp_path / "run")
    rows = history(tmp_path / "run")
    assert rows[-1]["loss"] < 0.7 * rows[0]["loss"] and rows[-1]["dice"] > rows[0]["dice"] + 0.1
