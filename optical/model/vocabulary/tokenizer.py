"""Tokenizers: loading, saving, learning a WordPiece vocabulary, and extending one to another language."""

import json
from collections.abc import Sequence
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tokenizers.normalizers import Normalizer
from tokenizers.pre_tokenizers import PreTokenizer
from transformers import PreTrainedTokenizerFast

from optical.errors import DataError
from optical.model.vocabulary.letters import ACCENTS, cutting_long_words, keeping_marks, keeping_marks_like

PAD, UNK, CLS, SEP, MASK = "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"
SPECIAL_TOKENS = (PAD, UNK, CLS, SEP, MASK)


def load_tokenizer(folder: Path) -> Tokenizer:
    """The folder's ``tokenizer.json``, with any truncation or padding it carries switched off.

    A special token that is spelt out in a text, such as ``[SEP]``, is read as text.

    Raises:
        DataError: the file is missing or not a tokenizer.
    """
    path = Path(folder) / "tokenizer.json"
    try:
        tokenizer = _reading_text(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError(
            path, "a tokenizer is needed, and the file is missing", "give a complete model folder"
        ) from None
    except Exception as error:
        raise DataError(path, f"is not a tokenizer ({error})", "replace the file") from error
    if missing := [token for token in SPECIAL_TOKENS if tokenizer.token_to_id(token) is None]:
        what = f"has no {', '.join(missing)}, and only vocabularies of the BERT kind are read"
        raise DataError(path, what, "give a teacher with BERT's special tokens")
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path, max_length: int) -> None:
    """Write the tokenizer so that ``AutoTokenizer`` loads it, and also reads spelt-out special tokens as text."""
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=max_length,
        pad_token=PAD,
        unk_token=UNK,
        cls_token=CLS,
        sep_token=SEP,
        mask_token=MASK,
        split_special_tokens=True,
    ).save_pretrained(folder)


def vocabulary_size(tokenizer: Tokenizer) -> int:
    """Number of embedding rows that the tokenizer's ids need."""
    return 1 + max(tokenizer.get_vocab().values())


def learn_wordpiece(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """A lower-casing WordPiece tokenizer with BERT's special tokens, learned from ``texts``; deterministic."""
    blank = _blank(keeping_marks(), pre_tokenizers.BertPreTokenizer())
    pieces = _learn(blank, texts, vocabulary, SPECIAL_TOKENS)
    tokenizer = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token=UNK))
    tokenizer.normalizer, tokenizer.pre_tokenizer = blank.normalizer, blank.pre_tokenizer
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(SPECIAL_TOKENS))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{CLS} $A {SEP}",
        pair=f"{CLS} $A {SEP} $B:1 {SEP}:1",
        special_tokens=[(CLS, tokenizer.token_to_id(CLS)), (SEP, tokenizer.token_to_id(SEP))],
    )
    return _reading_text(json.loads(tokenizer.to_str()))


def extend_wordpiece(tokenizer: Tokenizer, texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """The tokenizer with the word pieces of another language appended; every old id keeps its meaning.

    A WordPiece vocabulary of size ``vocabulary`` is learned from ``texts`` with the tokenizer's own case and word
    boundaries, but with every mark kept; pieces that the tokenizer lacks are added after its last id. ASCII text is
    read as before, except where a new piece is longer than an old one.

    Raises:
        DataError: the tokenizer is not a WordPiece tokenizer, or its normaliser cannot be imitated.
    """
    content = json.loads(tokenizer.to_str())
    if content["model"]["type"] != "WordPiece":
        raise DataError(
            "student.vocabulary",
            f"only a WordPiece vocabulary can be extended, and the teacher's is {content['model']['type']}",
            "set student.vocabulary to 0",
        )
    blank = _blank(keeping_marks_like(tokenizer.normalizer), tokenizer.pre_tokenizer)
    pieces = dict(sorted(tokenizer.get_vocab().items(), key=lambda piece: piece[1]))
    first = vocabulary_size(tokenizer)
    new = [piece for piece in _learn(blank, texts, vocabulary, (UNK,)) if piece not in pieces]
    content["model"]["vocab"] = pieces | {piece: first + place for place, piece in enumerate(new)}
    parts = json.loads(blank.to_str())
    return _reading_text(content | {part: parts[part] for part in ("normalizer", "pre_tokenizer")})


def _blank(normalizer: Normalizer, boundaries: PreTokenizer | None) -> Tokenizer:
    blank = Tokenizer(models.WordPiece(unk_token=UNK))
    blank.normalizer, blank.pre_tokenizer = normalizer, cutting_long_words(boundaries)
    return blank


def _reading_text(content: dict) -> Tokenizer:
    """A tokenizer from its JSON, without truncation and padding, that reads a spelt-out special token as text."""
    added = [
        token | {"special": token["special"] or token["content"] in SPECIAL_TOKENS} for token in content["added_tokens"]
    ]
    tokenizer = Tokenizer.from_str(json.dumps(content | {"added_tokens": added}))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    # The JSON of a tokenizer does not store this switch, so it is set whenever one is created.
    tokenizer.encode_special_tokens = True
    return tokenizer


def _learn(blank: Tokenizer, texts: Sequence[str], vocabulary: int, special: tuple[str, ...]) -> list[str]:
    """The pieces of a WordPiece vocabulary in order of their ids, the special tokens first.

    The trainer numbers continuation characters (``##a``) in the order of a randomly seeded hash map and breaks ties
    between merges by these numbers, so two runs differ. All are given as special tokens, which fixes their numbers.
    """
    seen = {character for text in texts for character in blank.normalizer.normalize_str(text)}
    continuations = [f"##{character}" for character in sorted(seen.union(ACCENTS)) if not character.isspace()]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary, special_tokens=[*special, *continuations], show_progress=False
    )
    blank.train_from_iterator(texts, trainer)
    learned = blank.get_vocab()
    return sorted(learned, key=learned.__getitem__)
