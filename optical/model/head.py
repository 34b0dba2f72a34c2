"""What follows the transformer: linear layers and normalisations, each applied to every vector."""

from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn

from optical.errors import DataError
from optical.model.formats.layout import DenseLayer, Layer


class Dense(nn.Module):
    """A linear layer and an activation, as sentence-transformers applies them."""

    def __init__(self, inputs: int, outputs: int, bias: bool = False, activation: str = "Identity") -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, outputs, bias=bias)
        self.activation = getattr(nn, activation)()

    @property
    def activation_name(self) -> str:
        """Name of the activation's class in ``torch.nn``."""
        return type(self.activation).__name__

    def forward(self, vectors: Float[Tensor, "*_ inputs"]) -> Float[Tensor, "*_ outputs"]:
        """The projected vectors."""
        return self.activation(self.linear(vectors))


class Normalise(nn.Module):
    """Scales every vector to length 1."""

    def forward(self, vectors: Float[Tensor, "*_ dim"]) -> Float[Tensor, "*_ dim"]:
        """The unit vectors, in float32."""
        return nn.functional.normalize(vectors.float(), dim=-1)


def projection(weight: Float[Tensor, "outputs inputs"], bias: Float[Tensor, " outputs"] | None = None) -> Dense:
    """A linear layer with given weights."""
    dense = Dense(weight.shape[1], weight.shape[0], bias is not None)
    with torch.no_grad():
        dense.linear.weight.copy_(weight)
        if bias is not None:
            dense.linear.bias.copy_(bias)
    return dense


def load_head(folder: Path, layers: Sequence[Layer], width: int) -> nn.Sequential:
    """The layers of a folder with their weights.

    Args:
        folder: model folder.
        layers: as its layout says.
        width: of the vectors that go in.

    Raises:
        DataError: weights are missing or of another shape, or an activation is unknown.
    """
    modules: list[nn.Module] = []
    for layer in layers:
        if isinstance(layer, DenseLayer):
            modules.append(_load_dense(folder, layer, width))
            width = layer.outputs
        else:
            modules.append(Normalise())
    return nn.Sequential(*modules)


def width_after(head: nn.Sequential, width: int) -> int:
    """Width of the vectors that come out of ``head``."""
    return next((layer.linear.out_features for layer in reversed(head) if isinstance(layer, Dense)), width)


def _load_dense(folder: Path, layer: DenseLayer, width: int) -> Dense:
    file = folder / layer.weights
    if layer.inputs != width:
        what = f"takes vectors of width {layer.inputs}, and {width} come in"
        raise DataError(file, what, "replace the model folder")
    activation = _activation(file, layer.activation)
    wanted = {layer.weight: (layer.outputs, layer.inputs)} | ({layer.bias: (layer.outputs,)} if layer.bias else {})
    try:
        with safe_open(file, "pt") as weights:
            shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in wanted if name in weights.keys()}  # noqa: SIM118
            if shapes != wanted:
                raise DataError(file, f"holds {shapes}, and {wanted} is needed", "replace the model folder")
            found = [weights.get_tensor(name).float() for name in wanted]
    except (OSError, SafetensorError) as error:
        raise DataError(file, f"weights do not load ({error})", "replace the model folder") from error
    dense = projection(*found)
    dense.activation = activation
    return dense


def _activation(file: Path, name: str) -> nn.Module:
    kind = getattr(nn, name, None)
    if not isinstance(kind, type) or not issubclass(kind, nn.Module):
        raise DataError(file, f"has the activation {name}, which torch.nn lacks", "use another model")
    try:
        return kind()
    except TypeError as error:
        what = f"has the activation {name}, which needs settings that are not stored ({error})"
        raise DataError(file, what, "use another model") from error
