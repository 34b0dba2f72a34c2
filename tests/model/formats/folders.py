"""Tiny model folders of every kind, as their own tools lay them out, with random weights."""

import json
import shutil
import string
import tempfile
from collections.abc import Callable
from functools import cache, wraps
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    DebertaV2Config,
    DebertaV2Model,
    DebertaV2Tokenizer,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedTokenizerFast,
    RobertaConfig,
    RobertaModel,
    RobertaTokenizer,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaTokenizer,
)

WORDS = ["query", "passage", "child", "water", "school", "river", "book", "food", "teacher", "road", "sun", "rain"]
WORDS += ["isn", "hello", "world"]
TEXTS = ["Hello, world!", "child water; school (river)", "", "book food teacher road sun rain book food teacher road"]
LONG = "hello world, the rain. " * 20
SIZES = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
POSITIONS = 40
BERT = ["[PAD]", "[unused0]", "[unused1]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
XLMR = ["<s>", "<pad>", "</s>", "<unk>"]
Maker = Callable[..., Path]


def copied(maker: Maker) -> Maker:
    """Make each folder once, and copy it from then on."""
    kept: dict[str, tempfile.TemporaryDirectory] = {}

    @wraps(maker)
    def make(folder: Path, **config: object) -> Path:
        key = repr(config)
        if key not in kept:
            kept[key] = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
            maker(Path(kept[key].name), **config)
        shutil.copytree(kept[key].name, folder, dirs_exist_ok=True)
        return folder

    return make


@copied
def bert(folder: Path, **config: object) -> Path:
    """BERT, in lower case, with markers in its vocabulary: ids 1 and 2; [CLS] 4, [SEP] 5, [MASK] 6."""
    letters = [*string.ascii_lowercase, *(f"##{letter}" for letter in string.ascii_lowercase)]
    vocabulary = {piece: number for number, piece in enumerate([*BERT, *string.punctuation, *letters, *WORDS])}
    sizes = {"vocab_size": len(vocabulary), "max_position_embeddings": POSITIONS, "pad_token_id": 0} | config
    return _saved(folder, BertModel, BertConfig(**SIZES | sizes), BertTokenizer(vocab=vocabulary))


@copied
def xlm_roberta(folder: Path, markers: bool = True, **config: object) -> Path:
    """XLM-R with the markers of ColBERT as added tokens."""
    tokenizer = XLMRobertaTokenizer(vocab=[*_unigram(tuple(XLMR)), ("<mask>", 0.0)])
    if markers:
        tokenizer.add_tokens(["[unused0]", "[unused1]"])
    sizes = {"vocab_size": len(tokenizer), "max_position_embeddings": POSITIONS + 2, "pad_token_id": 1} | config
    return _saved(folder, XLMRobertaModel, XLMRobertaConfig(**SIZES | sizes), tokenizer)


@copied
def roberta(folder: Path) -> Path:
    """RoBERTa, byte pairs."""
    vocabulary, merges = _byte_pairs((*XLMR, "<mask>"))
    config = RobertaConfig(vocab_size=len(vocabulary), max_position_embeddings=POSITIONS + 2, pad_token_id=1, **SIZES)
    return _saved(folder, RobertaModel, config, RobertaTokenizer(vocab=vocabulary, merges=merges))


@copied
def modernbert(folder: Path) -> Path:
    """ModernBERT, byte pairs with the special tokens of BERT."""
    vocabulary, merges = _byte_pairs(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"))
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.post_processor = _around(tokenizer, "[CLS]", "[SEP]")
    names = {f"{name.lower()}_token": f"[{name}]" for name in ("PAD", "UNK", "CLS", "SEP", "MASK")}
    known = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_input_names=["input_ids", "attention_mask"], **names
    )
    special = {f"{name}_token_id": vocabulary[f"[{name.upper()}]"] for name in ("pad", "cls", "sep")}
    ends = {"bos_token_id": special["cls_token_id"], "eos_token_id": special["sep_token_id"]}
    sizes = {"vocab_size": len(vocabulary), "max_position_embeddings": POSITIONS, "local_attention": 8}
    return _saved(folder, ModernBertModel, ModernBertConfig(**SIZES, **sizes, **special, **ends), known)


@copied
def deberta(folder: Path) -> Path:
    """DeBERTa, Unigram with the special tokens of BERT."""
    tokenizer = DebertaV2Tokenizer(vocab=_unigram(("[PAD]", "[CLS]", "[SEP]", "[UNK]")), add_prefix_space=True)
    sizes = {"vocab_size": len(tokenizer), "max_position_embeddings": POSITIONS, "pad_token_id": 0}
    relative = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "position_biased_input": False}
    return _saved(folder, DebertaV2Model, DebertaV2Config(**SIZES, **sizes, **relative), tokenizer)


MAKERS: dict[str, Maker] = {maker.__name__: maker for maker in (bert, xlm_roberta, roberta, modernbert, deberta)}


def stanford(folder: Path, maker: Maker = bert, prefix: str = "bert", **metadata: object) -> Path:
    """ColBERT's own layout: the projection beside the weights of the backbone, which have a prefix."""
    maker(folder)
    file = folder / "model.safetensors"
    weights = {f"{prefix}.{name}": value for name, value in load_file(file).items()}
    save_file(weights | {"linear.weight": torch.randn(16, 32)}, file, {"format": "pt"})
    change(folder / "config.json", architectures=["HF_ColBERT"])
    plain = {"query_token_id": "[unused0]", "doc_token_id": "[unused1]", "query_maxlen": 12, "dim": 16}
    write(folder / "artifact.metadata", plain | {"similarity": "cosine", "mask_punctuation": True} | metadata)
    return folder


def pylate(folder: Path, maker: Maker = bert, markers: tuple[str, str] = ("[Q] ", "[D] "), **settings: object) -> Path:
    """PyLate's layout, its markers added to the vocabulary with a space inside."""
    maker(folder)
    content = read(folder / "tokenizer.json")
    known = {token["content"] for token in content["added_tokens"]} | set(_learned(content))
    for marker in markers:
        if marker not in known:
            add_token(folder, marker)
    dense(folder, "1_Dense", 32, 16)
    kinds = ["sentence_transformers.models.Transformer", "pylate.models.Dense.Dense"]
    write_modules(folder, list(zip(kinds, ["", "1_Dense"], strict=True)))
    plain = {"query_prefix": markers[0], "document_prefix": markers[1], "query_length": 12, "document_length": 30}
    rest = {"attend_to_expansion_tokens": False, "do_query_expansion": True, "prompts": {}}
    known_settings = {"model_type": "ColBERT", "similarity_fn_name": "MaxSim", "skiplist_words": [*string.punctuation]}
    write(folder / "config_sentence_transformers.json", plain | rest | known_settings | settings)
    return folder


def pooled(folder: Path, maker: Maker = bert, normalise: bool = True, **settings: object) -> Path:
    """A single-vector model of sentence-transformers."""
    maker(folder)
    kinds = ["Transformer", "Pooling", "Normalize"] if normalise else ["Transformer", "Pooling"]
    paths = ["", "1_Pooling", "2_Normalize"]
    write_modules(folder, [(f"sentence_transformers.models.{kind}", paths[n]) for n, kind in enumerate(kinds)])
    write(folder / "1_Pooling" / "config.json", {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})
    write(folder / "config_sentence_transformers.json", settings)
    return folder


def dense(folder: Path, path: str, inputs: int, outputs: int, bias: bool = False, **config: object) -> None:
    """A linear layer in a subfolder."""
    weights = {"linear.weight": torch.randn(outputs, inputs)} | ({"linear.bias": torch.randn(outputs)} if bias else {})
    plain = {"in_features": inputs, "out_features": outputs, "bias": bias}
    identity = {"activation_function": "torch.nn.modules.linear.Identity"}
    write(folder / path / "config.json", plain | identity | config)
    save_file(weights, folder / path / "model.safetensors")


def write_modules(folder: Path, modules: list[tuple[str, str]]) -> None:
    """``modules.json`` of types and paths."""
    listed = [{"idx": n, "name": str(n), "type": kind, "path": path} for n, (kind, path) in enumerate(modules)]
    write(folder / "modules.json", listed)


def add_token(folder: Path, token: str) -> None:
    """Append an added token to a folder's tokenizer, and a row to its embeddings."""
    content = read(folder / "tokenizer.json")
    numbers = [added["id"] for added in content["added_tokens"]]
    number = 1 + max([*numbers, len(_learned(content)) - 1])
    plain = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": True, "special": False}
    content["added_tokens"].append({"id": number, "content": token, **plain})
    write(folder / "tokenizer.json", content)
    change(folder / "config.json", vocab_size=number + 1)
    weights = load_file(folder / "model.safetensors")
    [name] = [name for name in weights if name.endswith(("word_embeddings.weight", "tok_embeddings.weight"))]
    weights[name] = torch.cat([weights[name][:number], torch.randn(number + 1 - len(weights[name]), 32)])
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def read(file: Path) -> dict:
    """The JSON of a file."""
    return json.loads(file.read_text(encoding="utf-8"))


def write(file: Path, content: object) -> None:
    """JSON into a file, in a folder that is made if it is missing."""
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(json.dumps(content), encoding="utf-8")


def change(file: Path, **values: object) -> None:
    """Replace values of a JSON object."""
    write(file, (read(file) if file.exists() else {}) | values)


def _learned(content: dict) -> list[str]:
    vocabulary = content["model"]["vocab"]
    return list(vocabulary) if isinstance(vocabulary, dict) else [piece[0] for piece in vocabulary]


def _saved(folder: Path, model: type, config: object, tokenizer: PreTrainedTokenizerFast) -> Path:
    folder.mkdir(exist_ok=True, parents=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        backbone = model(config)
        for parameter in backbone.parameters():
            parameter.data.normal_(0, 0.2)
    backbone.save_pretrained(folder)
    tokenizer.model_max_length = POSITIONS
    tokenizer.save_pretrained(folder)
    return folder


def _unigram(special: tuple[str, ...]) -> list[tuple[str, float]]:
    """Special tokens, then the sign for a space (id 4), words behind one, punctuation, letters."""
    scores = {"\u2581": -4.0} | {f"\u2581{word}": -3.0 for word in WORDS}
    scores |= dict.fromkeys(string.punctuation, -9.0) | dict.fromkeys(string.ascii_letters, -6.0)
    return [*((token, 0.0) for token in special), *scores.items()]


@cache
def _byte_pairs(special: tuple[str, ...]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    learning = Tokenizer(models.BPE())
    learning.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=330,
        special_tokens=list(special),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    learning.train_from_iterator([" ".join(WORDS)] * 5, trainer)
    content = json.loads(learning.to_str())["model"]
    return content["vocab"], [tuple(pair) for pair in content["merges"]]


def _around(tokenizer: Tokenizer, opening: str, closing: str) -> object:
    from tokenizers import processors

    special = [(token, tokenizer.token_to_id(token)) for token in (opening, closing)]
    return processors.TemplateProcessing(single=f"{opening} $A {closing}", special_tokens=special)
