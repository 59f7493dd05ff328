"""TensorBoard process on a real run: HTTP data API of every plugin in use, and three tabs in a browser."""

import gzip
import json
import subprocess
import sys
import urllib.error
import urllib.request

import browser
import pytest
import tiny

from tfrespam.core.errors import UserError
from tfrespam.training.runs import run_folder
from tfrespam.training.tensorboard import server as board_server
from tfrespam.training.tensorboard.server import served
from tfrespam.workflows import training

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(data_dir, tmp_path_factory):
    """Train a very narrow ResPAM U-Net for two epochs with all TensorBoard options."""
    shown = {"training__tensorboard_images": 3, "training__tensorboard_curves": 1,
             "training__tensorboard_histograms": 1, "training__tensorboard_profile": (2, 3)}  # fmt: skip
    experiment = tiny.experiment(tmp_path_factory.mktemp("board"), data_dir, model__name="respam_unet",
                                 model__width=0.03125, **shown)  # fmt: skip
    training.train(experiment)
    return run_folder(experiment)


@pytest.fixture(scope="module")
def url(run):
    with served(run, 0) as address:
        yield address


def get(url, path=""):
    with urllib.request.urlopen(url + path, timeout=120) as answer:
        data = answer.read()
        return gzip.decompress(data) if answer.headers["Content-Encoding"] == "gzip" else data


def plugin(url, path):
    return json.loads(get(url, f"data/plugin/{path}"))


def post(url, path, body):
    request = urllib.request.Request(f"{url}data/plugin/{path}", json.dumps(body).encode(),
                                     {"Content-Type": "application/json"})  # fmt: skip
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.loads(answer.read())


def test_scalars_are_grouped_by_split(url):
    tags = plugin(url, "scalars/tags")
    assert {"epoch_loss", "epoch_dice", "epoch_learning_rate", "epoch_gradient_norm"} <= set(tags["tensorboard/train"])
    assert {"epoch_loss", "epoch_dice", "epoch_miou"} <= set(tags["tensorboard/validation"])
    values = plugin(url, "scalars/scalars?run=tensorboard/train&tag=epoch_gradient_norm")
    assert [step for _, step, _ in values] == [0, 1] and all(norm > 0 for *_, norm in values)


def test_images_of_cases_and_gates(url):
    tags = plugin(url, "images/tags")["tensorboard/images"]
    assert {"cases/easy", "cases/median", "cases/hard", "calibration/reliability"} <= set(tags)
    assert {f"attention/stage{stage}" for stage in (1, 2, 3, 4)} <= set(tags)
    samples = plugin(url, "images/images?run=tensorboard/images&tag=attention/stage4&sample=0")
    assert [sample["step"] for sample in samples] == [0, 1]
    assert get(url, f"data/plugin/images/individualImage?{samples[0]['query']}").startswith(b"\x89PNG")


def test_curves_histograms_graph_texts_and_layout(url):
    (curve,) = plugin(url, "pr_curves/pr_curves?run=tensorboard/images&tag=validation_pixels/pr_curves").values()
    assert len(curve) == 2 and max(curve[-1]["recall"]) == 1
    histograms = plugin(url, "histograms/tags")["tensorboard/train"]
    kernel = next(tag for tag in histograms if tag.startswith("stage1/"))
    assert len(plugin(url, f"histograms/histograms?run=tensorboard/train&tag={kernel}")) == 2
    assert plugin(url, "graphs/info")["tensorboard/train"]["tags"]["keras"]["conceptual_graph"]
    assert b"stage4" in get(url, "data/plugin/graphs/graph?run=tensorboard/train&tag=keras&conceptual=true")
    assert set(plugin(url, "text/tags")["tensorboard"]) == {"config", "data_card", "leak_audit", "provenance"}
    assert "respam_unet" in plugin(url, "text/text?run=tensorboard&tag=config")[0]["text"]
    layout = plugin(url, "custom_scalars/layout")
    assert [category["title"] for category in layout["category"]] == ["Fit", "Optimisation", "Calibration"]
    assert plugin(url, "custom_scalars/scalars?run=tensorboard/validation&tag=%5Eepoch_loss%24")["tag_to_events"]


def test_hparams_contain_settings_and_scores(url, run):
    experiment = post(url, "hparams/experiment", {"experimentName": ""})
    assert {"model.name", "training.learning_rate", "seed"} <= {each["name"] for each in experiment["hparamInfos"]}
    metrics = [{"metric": each["name"]} for each in experiment["metricInfos"]]
    asked = {"experimentName": "", "allowedStatuses": ["STATUS_SUCCESS"], "colParams": metrics, "startIndex": 0,
             "sliceSize": 10}  # fmt: skip
    (session,) = post(url, "hparams/session_groups", asked)["sessionGroups"]
    assert session["name"] == run.name and session["hparams"]["model.name"] == "respam_unet"
    scores = {each["name"]["tag"]: each["value"] for each in session["metricValues"]}
    history = json.loads((run / "state" / "state.json").read_text())["history"]
    assert scores["epoch_dice"] == pytest.approx(history[-1]["val_dice"], abs=1e-6)


def test_the_profile_can_be_opened(url):
    pytest.importorskip("xprof", reason="the extra [profile] is not installed")
    assert plugin(url, "profile/runs")


def test_images_scalars_and_hparams_open_in_a_browser(url, tmp_path):
    awaited = {"images": "tf-image-loader img", "scalars": "tf-line-chart-data-loader", "hparams": "tf-hparams-main"}
    with browser.page() as page:
        for tab, element in awaited.items():
            page.goto(f"{url}#{tab}")
            page.reload()
            page.locator(element).first.wait_for()
        page.get_by_text("validation dice").first.wait_for()  # the table is filled later
        page.goto(f"{url}#images")
        page.reload()
        image = page.locator("tf-image-loader img").first
        assert image.evaluate("async image => { await image.decode(); return image.naturalWidth }") > 100


def test_train_starts_tensorboard_prints_its_address_and_stops_it(data_dir, tmp_path):
    experiment = tiny.experiment(tmp_path, data_dir)
    options = [option for option in tiny.options(experiment) if not option.startswith("--tensorboard=")]
    with subprocess.Popen([sys.executable, tiny.__file__, *options, "--tensorboard"], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:  # fmt: skip
        line = next(line for line in process.stdout if line.startswith("TensorBoard: "))
        address = line.split()[1]
        assert address.startswith("http://localhost:") and b"<title>TensorBoard</title>" in get(address)
        process.stdout.read()
    assert process.returncode == 0
    with pytest.raises(urllib.error.URLError):
        get(address)


def test_a_port_in_use_is_reported(url, tmp_path):
    port = int(url.rstrip("/").rpartition(":")[2])
    message = "TensorBoard did not start .*Train without `tensorboard`"
    with pytest.raises(UserError, match=message), served(tmp_path, port):
        pass


def test_waiting_for_the_server_to_start_has_a_timeout(tmp_path, monkeypatch):
    monkeypatch.setattr(board_server, "PATIENCE", 0.1)
    with pytest.raises(UserError, match="no answer within 0 s"), served(tmp_path, 0):
        pass
