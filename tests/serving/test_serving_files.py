"""The files under serving/ against the schemas of their readers; the official image is not available here."""

import json
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
import yaml
from config_protos import BatchingParameters, MonitoringConfig, SSLConfig
from google.protobuf import text_format
from tensorflow_serving.config import model_server_config_pb2

from tfrespam.serving.graph.warmup import BATCH_SIZES

SERVING = Path(__file__).parents[2] / "serving"
COMPOSE = yaml.safe_load((SERVING / "compose.yaml").read_text())
OBJECTS = {name: list(yaml.safe_load_all((SERVING / "kubernetes" / f"{name}.yaml").read_text()))
           for name in ("common", "cpu", "gpu")}  # fmt: skip
SERVICES = sorted(COMPOSE["services"])


def test_models_config_is_a_model_server_config():
    read = text_format.Parse((SERVING / "models.config").read_text(), model_server_config_pb2.ModelServerConfig())
    (model,) = read.model_config_list.config
    assert (model.name, model.base_path, model.model_platform) == ("tfrespam", "/models/tfrespam", "tensorflow")


def test_batching_config_allows_the_sizes_that_are_warmed_up():
    read = text_format.Parse((SERVING / "batching.config").read_text(), BatchingParameters())
    assert tuple(read.allowed_batch_sizes) == BATCH_SIZES
    assert read.max_batch_size.value == BATCH_SIZES[-1]  # else the server refuses to start
    assert read.num_batch_threads.value >= 1 and read.max_enqueued_batches.value >= 1


def test_monitoring_config_switches_prometheus_on():
    read = text_format.Parse((SERVING / "monitoring.config").read_text(), MonitoringConfig())
    assert read.prometheus_config.enable and read.prometheus_config.path.startswith("/")


def test_compose_file_follows_the_compose_specification():
    schemas = pytest.importorskip("check_jsonschema.builtin_schemas.vendor")
    import jsonschema

    schema = json.loads((resources.files(schemas) / "compose-spec.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(COMPOSE)
    with pytest.raises(jsonschema.ValidationError):  # the schema does look at what we wrote
        jsonschema.Draft202012Validator(schema).validate(COMPOSE | {"services": {"serving": {"read_only": []}}})


@pytest.mark.parametrize("name", SERVICES)
def test_compose_services_have_no_privileges_and_a_limit(name):
    service = COMPOSE["services"][name]
    assert service["read_only"] is True and service["cap_drop"] == ["ALL"] and service["user"] == "65534:65534"
    assert "no-new-privileges:true" in service["security_opt"] and "privileged" not in service
    assert {"cpus", "memory"} <= set(service["deploy"]["resources"]["limits"])
    assert service["healthcheck"]["test"][0] == "CMD" and all("127.0.0.1:" in port for port in service["ports"])
    assert all(volume["read_only"] for volume in service["volumes"])


@pytest.mark.parametrize("name", SERVICES)
def test_compose_mounts_the_files_that_the_server_reads(name):
    service = COMPOSE["services"][name]
    mounted = {volume["target"]: volume["source"] for volume in service["volumes"]}
    for flag in service["command"]:
        option, _, value = flag.partition("=")
        if option.endswith("_file") and "$" not in value:
            assert (SERVING / mounted[value]).is_file()
    assert "/models/tfrespam" in mounted


def test_only_the_gpu_variant_batches_and_requests_a_gpu():
    flags = {name: " ".join(COMPOSE["services"][name]["command"]) for name in SERVICES}
    assert "--enable_batching=true" in flags["serving-gpu"] and "batching" not in flags["serving"]
    assert COMPOSE["services"]["serving-gpu"]["image"].endswith("-gpu")
    (device,) = COMPOSE["services"]["serving-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]


@pytest.mark.parametrize("name", SERVICES)
def test_servers_allow_32_calls_and_keepalive_pings(name):
    flags = dict(flag.lstrip("-").split("=", 1) for flag in COMPOSE["services"][name]["command"])
    assert int(flags["grpc_max_threads"]) == 32
    argument, milliseconds = flags["grpc_channel_arguments"].split("=")
    assert argument == "grpc.http2.min_recv_ping_interval_without_data_ms" and int(milliseconds) == 10_000


@pytest.mark.parametrize("name", OBJECTS)
@pytest.mark.parametrize("version", ["1.28", "1.33"])
def test_kubernetes_objects_follow_their_schemas(name, version):
    kubernetes_validate = pytest.importorskip("kubernetes_validate")
    for made in OBJECTS[name]:
        kubernetes_validate.validate(made, version, strict=True)
        with pytest.raises(kubernetes_validate.ValidationError):
            kubernetes_validate.validate(made | {"no_such_field": 1}, version, strict=True)


def test_kubernetes_config_map_equals_the_files():
    (config,) = [made for made in OBJECTS["common"] if made["kind"] == "ConfigMap"]
    assert config["data"] == {name: (SERVING / name).read_text() for name in config["data"]}
    assert set(config["data"]) == {"models.config", "batching.config", "monitoring.config"}


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_kubernetes_pod_has_no_privileges_but_limits_and_probes(name):
    pod = OBJECTS[name][0]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    security = container["securityContext"]
    assert security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"]
    assert security["capabilities"] == {"drop": ["ALL"]} and pod["securityContext"]["runAsNonRoot"]
    assert pod["automountServiceAccountToken"] is False
    assert {"cpu", "memory"} <= set(container["resources"]["limits"])
    assert ("nvidia.com/gpu" in container["resources"]["limits"]) == (name == "gpu")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert probe in container
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}


def test_startup_probe_allows_six_times_the_measured_start():
    probe = OBJECTS["cpu"][0]["spec"]["template"]["spec"]["containers"][0]["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 6 * 19


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_kubernetes_and_compose_start_the_server_alike(name):
    (container,) = OBJECTS[name][0]["spec"]["template"]["spec"]["containers"]
    service = COMPOSE["services"]["serving" if name == "cpu" else "serving-gpu"]
    plain = [flag for flag in service["command"] if not flag.startswith("--ssl")]
    assert [flag for flag in container["args"] if not flag.startswith("--ssl")] == plain
    assert service["image"].replace("${TFS_VERSION:-2.21.0}", "2.21.0") == container["image"]


def test_service_and_network_policy_select_the_pods():
    pods = OBJECTS["cpu"][0]["spec"]["template"]["metadata"]["labels"].items()
    by_kind = {made["kind"]: made["spec"] for made in OBJECTS["common"] if made["kind"] != "ConfigMap"}
    assert by_kind["Service"]["selector"].items() <= pods
    assert by_kind["NetworkPolicy"]["podSelector"]["matchLabels"].items() <= pods


def test_tls_patch_adds_its_mounts_to_an_existing_container():
    patch = yaml.safe_load((SERVING / "kubernetes" / "tls.yaml").read_text())["spec"]["template"]["spec"]
    (container,) = patch["containers"]
    (original,) = OBJECTS["cpu"][0]["spec"]["template"]["spec"]["containers"]
    assert container["name"] == original["name"]
    (variable,), (mount,), (volume,) = container["env"], container["volumeMounts"], patch["volumes"]
    assert variable["value"].startswith(mount["mountPath"]) and mount["name"] == volume["name"]
    assert f"--ssl_config_file=$({variable['name']})" in original["args"]


def test_ssl_config_contains_the_files_unchanged(tmp_path):
    pem = "-----BEGIN CERTIFICATE-----\nMIIB\\+/=\n-----END CERTIFICATE-----\n"
    for name in ("server.crt", "server.key", "ca.crt"):
        (tmp_path / name).write_text(pem + name + "\n")
    command = [sys.executable, SERVING / "ssl_config.py", tmp_path / "server.crt", tmp_path / "server.key"]
    plain, mutual = (subprocess.run([*command, *more], capture_output=True, text=True, check=True).stdout
                     for more in ([], ["--client_ca", tmp_path / "ca.crt"]))  # fmt: skip
    read = text_format.Parse(mutual, SSLConfig())
    assert read.server_cert == pem + "server.crt\n" and read.server_key == pem + "server.key\n"
    assert read.custom_ca == pem + "ca.crt\n" and read.client_verify
    assert not text_format.Parse(plain, SSLConfig()).client_verify
    (tmp_path / "server.key").unlink()
    refused = subprocess.run(command, capture_output=True, text=True)
    assert refused.returncode == 2 and "Traceback" not in refused.stderr
    assert "expected PEM files that can be read" in refused.stderr and "server.key" in refused.stderr

