"""Learning a WordPiece vocabulary, and extending one to another language."""

import json
from collections.abc import Sequence

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from tokenizers.normalizers import Normalizer
from tokenizers.pre_tokenizers import PreTokenizer

from optical.errors import DataError
from optical.model.text.special import BERT, reading_text
from optical.model.vocabulary.letters import ACCENTS, cutting_long_words, keeping_marks, keeping_marks_like


def vocabulary_size(tokenizer: Tokenizer) -> int:
    """Number of embedding rows that the tokenizer's ids need."""
    return 1 + max(tokenizer.get_vocab().values())


def learn_wordpiece(texts: Sequence[str], vocabulary: int) -> Tokenizer:
    """A lower-casing WordPiece tokenizer with BERT's special tokens, learned from ``texts``; deterministic."""
    blank = _blank(keeping_marks(), pre_tokenizers.BertPreTokenizer())
    pieces = _learn(blank, texts, vocabulary, BERT.all)
    tokenizer = Tokenizer(models.WordPiece({piece: number for number, piece in enumerate(pieces)}, unk_token=BERT.unk))
    tokenizer.normalizer, tokenizer.pre_tokenizer = blank.normalizer, blank.pre_tokenizer
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens(list(BERT.all))
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{BERT.cls} $A {BERT.sep}",
        pair=f"{BERT.cls} $A {BERT.sep} $B:1 {BERT.sep}:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in (BERT.cls, BERT.sep)],
    )
    return reading_text(json.loads(tokenizer.to_str()), BERT)


def extend_wordpiece(tokenizer: Tokenizer, texts: Sequence[str], vocabulary: int, min_frequency: int = 1) -> Tokenizer:
    """The tokenizer with the word pieces of another language appended; every old id keeps its meaning.

    A WordPiece vocabulary of size ``vocabulary`` is learned from ``texts`` with the tokenizer's own case and word
    boundaries, but with every mark kept; pieces that the tokenizer lacks are added after its last id. ASCII text is
    read as before, except where a new piece is longer than an old one. Two pieces are joined only where they stand
    side by side at least ``min_frequency`` times.

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
    new = [piece for piece in _learn(blank, texts, vocabulary, (BERT.unk,), min_frequency) if piece not in pieces]
    content["model"]["vocab"] = pieces | {piece: first + place for place, piece in enumerate(new)}
    parts = json.loads(blank.to_str())
    return reading_text(content | {part: parts[part] for part in ("normalizer", "pre_tokenizer")}, BERT)


def _blank(normalizer: Normalizer, boundaries: PreTokenizer | None) -> Tokenizer:
    blank = Tokenizer(models.WordPiece(unk_token=BERT.unk))
    blank.normalizer, blank.pre_tokenizer = normalizer, cutting_long_words(boundaries)
    return blank


def _learn(
    blank: Tokenizer, texts: Sequence[str], vocabulary: int, special: tuple[str, ...], min_frequency: int = 1
) -> list[str]:
    """The pieces of a WordPiece vocabulary in order of their ids, the special tokens first.

    The trainer numbers continuation characters (``##a``) in the order of a randomly seeded hash map and breaks ties
    between merges by these numbers, so two runs differ. All are given as special tokens, which fixes their numbers.
    """
    seen = {character for text in texts for character in blank.normalizer.normalize_str(text)}
    continuations = [f"##{character}" for character in sorted(seen.union(ACCENTS)) if not character.isspace()]
    trainer = trainers.WordPieceTrainer(
        vocab_size=vocabulary,
        min_frequency=min_frequency,
        special_tokens=[*special, *continuations],
        show_progress=False,
    )
    blank.train_from_iterator(texts, trainer)
    learned = blank.get_vocab()
    return sorted(learned, key=learned.__getitem__)
