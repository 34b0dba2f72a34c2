"""Kinds of models that no token embedding should be taken from, told by their configuration."""

from pathlib import Path

from optical.errors import DataError
from optical.model.formats.layout import CONFIG
from optical.model.text.json_object import read_json

_CLASSIFIERS = ("ForSequenceClassification",)
_CAUSAL = ("ForCausalLM", "LMHeadModel")
_ADVICE = "give an encoder that reads a text in both directions, such as BERT or XLM-R"


def check_kind(folder: Path) -> None:
    """Refuse a classifier, which includes cross-encoders, and a causal language model.

    Raises:
        DataError: the folder is of such a kind.
    """
    config = read_json(folder / CONFIG)
    for name in map(str, config.get("architectures") or []):
        if name.endswith(_CLASSIFIERS):
            raise DataError(folder, f"is a cross-encoder or another classifier of texts ({name})", _ADVICE)
        if name.endswith(_CAUSAL):
            raise DataError(folder, f"is a causal language model ({name})", _ADVICE)


def check_family(folder: Path, family: str) -> None:
    """Refuse a family of models in which a token sees only what stands before it.

    Args:
        folder: model folder, for the message.
        family: ``model_type`` of transformers.

    Raises:
        DataError: transformers has causal language models of the family and no masked ones.
    """
    from transformers.models.auto import modeling_auto

    masked, causal = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES, modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
    if family in causal and family not in {*masked, *_READ_BOTH_WAYS}:
        raise DataError(folder, f"is a causal language model ({family})", _ADVICE)


_READ_BOTH_WAYS = ("xlnet", "bert-generation")
"""Families that transformers lists among the causal ones and that read a text in both directions."""


def why_unread(folder: Path, error: Exception) -> tuple[str, str]:
    """What is wrong with a configuration that transformers does not read, and what to do.

    Args:
        folder: model folder.
        error: of transformers.
    """
    config = read_json(folder / CONFIG)
    family = config.get("model_type")
    if "auto_map" in config:
        return f"needs code that comes with its weights ({family}), which is never run here", _ADVICE
    what = f"its shape cannot be read ({type(error).__name__}: {error})".replace("\n", " ")
    return what, "give the folder of an encoder that transformers loads"
