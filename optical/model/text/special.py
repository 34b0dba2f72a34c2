"""The special tokens of a vocabulary, read from a model folder.

Nothing else in the project names a special token: whoever needs one asks the reader of the model.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from optical.errors import DataError
from optical.model.text.json_object import read_json

TOKENIZER = "tokenizer.json"
_SETTINGS = ("tokenizer_config.json", "special_tokens_map.json")
_UNKNOWN = 10.0
"""What a Unigram model subtracts from its lowest score for an unknown character."""
_USUAL = {
    "pad": ("[PAD]", "<pad>", "<|padding|>"),
    "unk": ("[UNK]", "<unk>"),
    "cls": ("[CLS]", "<s>"),
    "sep": ("[SEP]", "</s>"),
    "mask": ("[MASK]", "<mask>"),
}


@dataclass(frozen=True)
class SpecialTokens:
    """The tokens by their purpose; an empty one does not exist in the vocabulary."""

    pad: str
    unk: str = ""
    cls: str = ""
    sep: str = ""
    mask: str = ""

    @property
    def all(self) -> tuple[str, ...]:
        """Those that exist."""
        return tuple(token for token in asdict(self).values() if token)


BERT = SpecialTokens("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
"""The special tokens of BERT, which a vocabulary that is learned here has too."""


def read_special(folder: Path, vocabulary: dict[str, int]) -> SpecialTokens:
    """The special tokens of the tokenizer in ``folder``: as its settings name them, else the usual ones it has.

    Raises:
        DataError: a file of settings is no JSON object, a setting names a token that the vocabulary lacks, or there is
            no padding token.
    """
    named: dict[str, str] = {}
    for file in _SETTINGS:
        content = read_json(folder / file)
        for purpose in _USUAL:
            if token := _text(content.get(f"{purpose}_token")):
                named.setdefault(purpose, token)
    for purpose, token in named.items():
        if token not in vocabulary:
            what = f"names {token!r} as its {purpose} token, and the vocabulary lacks it"
            raise DataError(folder / TOKENIZER, what, "complete the vocabulary")
    for purpose, usual in _USUAL.items():
        if found := next((token for token in usual if token in vocabulary), None):
            named.setdefault(purpose, found)
    if "pad" not in named:
        advice = "name one in tokenizer_config.json: pad_token"
        raise DataError(folder / TOKENIZER, "has no padding token", advice)
    return SpecialTokens(**named)


def reading_text(content: dict[str, Any], special: SpecialTokens, markers: Sequence[str] = ()) -> Tokenizer:
    """A tokenizer from its JSON, without truncation and padding, that reads a spelt-out special token as text.

    A Unigram model has the special tokens among its own pieces, often with the best score of all. They get so low a
    score that the letters of ``</s>`` are read one by one.

    Args:
        content: of ``tokenizer.json``.
        special: its special tokens.
        markers: other tokens that only a role puts into a text.
    """
    named = {*special.all, *markers}
    added = [token | {"special": token["special"] or token["content"] in named} for token in content["added_tokens"]]
    model = _with_hidden(content["model"], named) if content["model"]["type"] == "Unigram" else content["model"]
    tokenizer = Tokenizer.from_str(json.dumps(content | {"added_tokens": added, "model": model}))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # The JSON of a tokenizer does not store this switch, so it is set whenever one is created.
    tokenizer.encode_special_tokens = True
    return tokenizer


def with_markers(tokenizer: Tokenizer, markers: Sequence[str]) -> Tokenizer:
    """The tokenizer, which reads each spelt-out marker as one token wherever it stands.

    Args:
        tokenizer: its vocabulary has the markers.
        markers: tokens.
    """
    content = json.loads(tokenizer.to_str())
    numbers = tokenizer.get_vocab()
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    marked = [{"id": numbers[marker], "content": marker, **plain} for marker in dict.fromkeys(markers)]
    others = [token for token in content["added_tokens"] if token["content"] not in markers]
    added = sorted([*others, *marked], key=lambda token: token["id"])
    found = Tokenizer.from_str(json.dumps(content | {"added_tokens": added}))
    found.encode_special_tokens = tokenizer.encode_special_tokens
    return found


def _with_hidden(model: dict[str, Any], pieces: Collection[str]) -> dict[str, Any]:
    """A Unigram model that reads no text as one of some pieces, unless it can spell it in no other way."""
    lowest = min((score for _, score in model["vocab"]), default=0.0) - _UNKNOWN
    vocabulary = [[piece, (len(piece) + 1) * lowest if piece in pieces else score] for piece, score in model["vocab"]]
    return model | {"vocab": vocabulary}


def _text(token: object) -> str:
    """A token as settings write it: a string, or an object with the string inside."""
    content = token.get("content") if isinstance(token, dict) else token
    return content if isinstance(content, str) else ""
