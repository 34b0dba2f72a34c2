"""The cluster files: Ray's own validation, and the mistakes that it lets through."""

import copy
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
PROVIDER_KEYS = {"type", "region", "availability_zone", "cache_stopped_nodes", "use_internal_ips", "security_group"}


def _locked(name):
    return re.search(rf"^{name}==([^\s\\]+)", (ROOT / "requirements.lock").read_text(), re.MULTILINE).group(1)


def _strings(value):
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    return [text for inner in value for text in _strings(inner)] if isinstance(value, list) else [str(value)]


def scaling(config):
    """What is wrong with sizes and times."""
    types = config["available_node_types"]
    found = [f"{name}: min over max" for name, kind in types.items() if kind["min_workers"] > kind["max_workers"]]
    if sum(kind["min_workers"] for kind in types.values()) > config["max_workers"]:
        found.append("minima over max_workers")
    if sum(kind["max_workers"] for kind in types.values()) < config["max_workers"]:
        found.append("max_workers out of reach")
    if type(config["idle_timeout_minutes"]) is not int or config["idle_timeout_minutes"] < 1:
        found.append("idle timeout not a whole number of minutes")
    return found


def nodes(config):
    """What is wrong with the provider and the machines."""
    found = [f"provider: {key} unknown" for key in config["provider"].keys() - PROVIDER_KEYS]
    for name, kind in config["available_node_types"].items():
        machine = kind["node_config"]
        if not re.fullmatch(r"[a-z]\w+\.\d*x?large", machine.get("InstanceType", "")):
            found.append(f"{name}: instance type")
        if machine.get("MetadataOptions", {}).get("HttpTokens") != "required":
            found.append(f"{name}: metadata service without token")
        if name != config["head_node_type"] and machine.get("InstanceMarketOptions", {}).get("MarketType") != "spot":
            found.append(f"{name}: not spot")
    if config["available_node_types"][config["head_node_type"]]["max_workers"] != 0:
        found.append("head type also starts workers")
    return found


def software(config):
    """What is wrong with images, packages and start commands."""
    images = [config["docker"][key] for key in ("head_image", "worker_image")]
    found = [f"{image}: not the locked Ray" for image in images if f":{_locked('ray')}-py311" not in image]
    head, worker = (
        [line for line in config[f"{role}_start_ray_commands"] if "ray start" in line] for role in ("head", "worker")
    )
    if not any("--autoscaling-config" in line and "--head" in line for line in head):
        found.append("head without --autoscaling-config")
    if not any("--address=$RAY_HEAD_IP:" in line for line in worker):
        found.append("worker without the head's address")
    for line in [*head, *worker]:
        found += [f"start command without {word}" for word in ("RAY_AUTH_MODE=token", "umask 077") if word not in line]
    if not any("--require-hashes" in line for line in config["setup_commands"]):
        found.append("packages not pinned by hash")
    text = (ROOT / "scripts" / "bootstrap.py").read_text()
    torch = re.search(r'^TORCH = "(.*)"', text, re.MULTILINE).group(1)
    if not any(f"torch==={torch}" in line for line in config["setup_commands"]):
        found.append("torch of another version than the bootstrap's")
    return found


def secrets(config):
    """What would leak, or let strangers in."""
    forbidden = ("0.0.0.0", ":latest", "RAY_AUTH_TOKEN=")
    found = [f"{word} in {text}" for word in forbidden for text in _strings(config) if word in text]
    for local in config["file_mounts"].values():
        if not local.startswith("~/.ray/") and not (ROOT / local).exists():
            found.append(f"file mount {local} missing")
    return found


def problems(config):
    """Everything wrong with a cluster file that Ray's validation does not see."""
    return scaling(config) + nodes(config) + software(config) + secrets(config)


@pytest.fixture(scope="module")
def cluster():
    return yaml.safe_load((ROOT / "cluster.yaml").read_text())


def test_ray_accepts_the_cluster_file(cluster):
    util = pytest.importorskip("ray.autoscaler._private.util")
    util.validate_config(util.prepare_config(copy.deepcopy(cluster)))
    broken = copy.deepcopy(cluster)
    broken["idle_timeout_minuts"] = broken.pop("idle_timeout_minutes")
    with pytest.raises(Exception, match="idle_timeout_minuts"):
        util.validate_config(util.prepare_config(broken))


def test_the_cluster_file_keeps_every_policy(cluster):
    assert problems(cluster) == []


def _kind(config, name):
    return config["available_node_types"][name]


_BREAKS = {
    "provider: regoin unknown": lambda c: c["provider"].update(regoin="us-east-1"),
    "gpu_worker: min over max": lambda c: _kind(c, "gpu_worker").update(min_workers=9),
    "minima over max_workers": lambda c: c.update(max_workers=-1),
    "max_workers out of reach": lambda c: c.update(max_workers=9),
    "idle timeout not a whole number of minutes": lambda c: c.update(idle_timeout_minutes=0.5),
    "gpu_worker: instance type": lambda c: _kind(c, "gpu_worker")["node_config"].update(InstanceType="big"),
    "head: metadata service without token": lambda c: _kind(c, "head")["node_config"].pop("MetadataOptions"),
    "gpu_worker: not spot": lambda c: _kind(c, "gpu_worker")["node_config"].pop("InstanceMarketOptions"),
    "head type also starts workers": lambda c: _kind(c, "head").update(max_workers=1),
    "rayproject/ray:2.9.0-py311-gpu: not the locked Ray": lambda c: c["docker"].update(
        worker_image="rayproject/ray:2.9.0-py311-gpu"
    ),
    "head without --autoscaling-config": lambda c: c.update(head_start_ray_commands=["ray start --head"]),
    "worker without the head's address": lambda c: c.update(worker_start_ray_commands=["ray start"]),
    "start command without RAY_AUTH_MODE=token": lambda c: c.update(worker_start_ray_commands=["ray start"]),
    "start command without umask 077": lambda c: c.update(worker_start_ray_commands=["ray start"]),
    "packages not pinned by hash": lambda c: c.update(setup_commands=["pip install ray"]),
    "torch of another version than the bootstrap's": lambda c: c.update(setup_commands=["pip install torch"]),
    "0.0.0.0 in ray start --dashboard-host=0.0.0.0": lambda c: c["head_start_ray_commands"].append(
        "ray start --dashboard-host=0.0.0.0"
    ),
    "RAY_AUTH_TOKEN= in --env RAY_AUTH_TOKEN=x": lambda c: c["docker"]["run_options"].append("--env RAY_AUTH_TOKEN=x"),
    "file mount gone.lock missing": lambda c: c["file_mounts"].update({"/home/ray/gone.lock": "gone.lock"}),
}


@pytest.mark.parametrize("problem", _BREAKS)
def test_each_policy_sees_a_broken_copy(cluster, problem):
    broken = copy.deepcopy(cluster)
    _BREAKS[problem](broken)
    assert problem in problems(broken)


def test_the_kubernetes_cluster_says_the_same():
    cluster, claim = yaml.safe_load_all((ROOT / "deploy" / "kuberay.yaml").read_text())
    spec = cluster["spec"]
    groups = [spec["headGroupSpec"], *spec["workerGroupSpecs"]]
    pods = [group["template"]["spec"] for group in groups]
    assert spec["rayVersion"] == _locked("ray")
    assert all(f":{spec['rayVersion']}-py311" in pod["containers"][0]["image"] for pod in pods)
    assert spec["enableInTreeAutoscaling"] is True
    assert spec["authOptions"] == {"mode": "token"}
    assert isinstance(spec["autoscalerOptions"]["idleTimeoutSeconds"], int)
    assert all(0 <= group["minReplicas"] <= group["replicas"] <= group["maxReplicas"] for group in groups[1:])
    assert any("nvidia.com/gpu" in pod["containers"][0]["resources"]["limits"] for pod in pods[1:])
    assert claim["spec"]["accessModes"] == ["ReadWriteMany"]
    claims = {volume["persistentVolumeClaim"]["claimName"] for pod in pods for volume in pod["volumes"]}
    assert claims == {claim["metadata"]["name"]}
