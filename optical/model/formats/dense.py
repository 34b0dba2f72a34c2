"""A linear layer in a subfolder of a model folder, as sentence-transformers and PyLate describe it."""

from pathlib import Path

from optical.errors import DataError
from optical.model.formats.layout import DenseLayer, read_json


def read_dense(folder: Path, path: str) -> DenseLayer:
    """The linear layer in a subfolder of a model folder.

    Raises:
        DataError: its configuration is missing, or asks for what is not applied here.
    """
    file = folder / path / "config.json"
    config = read_json(file)
    try:
        inputs, outputs, bias = int(config["in_features"]), int(config["out_features"]), bool(config["bias"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(file, f"does not give the shape of a linear layer ({error!r})", "replace the file") from error
    if config.get("use_residual"):
        raise DataError(file, "has a residual connection, which is not applied here", "use another model")
    module, _, activation = str(config.get("activation_function", "torch.nn.modules.linear.Identity")).rpartition(".")
    if not module.startswith("torch.nn.modules"):
        what = f"has the activation {module}.{activation}, and only those of torch.nn are applied"
        raise DataError(file, what, "use another model")
    return DenseLayer(
        inputs=inputs,
        outputs=outputs,
        weights=f"{path}/model.safetensors",
        bias="linear.bias" if bias else "",
        activation=activation,
    )
