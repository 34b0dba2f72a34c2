"""What the extension of every kind of vocabulary needs: the words of texts, and a tokenizer rebuilt from its JSON."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence

from tokenizers import Tokenizer
from tokenizers.pre_tokenizers import PreTokenizer

_AT_ONCE = 10_000


def counted_words(tokenizer: Tokenizer, texts: Iterable[str], cut: PreTokenizer | None = None) -> dict[str, int]:
    """How often each word occurs, in the order of the words.

    Args:
        tokenizer: its normaliser and its word boundaries are used.
        texts: read as they are, without special tokens.
        cut: further boundaries inside each word.
    """
    normalise = tokenizer.normalizer.normalize_str if tokenizer.normalizer else str
    boundaries = tokenizer.pre_tokenizer
    whole: Counter[str] = Counter()
    for text in texts:
        read = normalise(text)
        whole.update([word for word, _ in boundaries.pre_tokenize_str(read)] if boundaries else [read])
    if cut is None:
        return dict(sorted(whole.items()))
    parts: Counter[str] = Counter()
    for word, count in whole.items():
        for part, _ in cut.pre_tokenize_str(word):
            parts[part] += count
    return dict(sorted(parts.items()))


def contents(tokenizer: Tokenizer) -> dict:
    """The tokenizer as ``tokenizer.json`` would have it."""
    return json.loads(tokenizer.to_str())


def rebuilt(content: dict, like: Tokenizer) -> Tokenizer:
    """A tokenizer from its JSON, without truncation and padding, that reads spelt-out special tokens as another does.

    Args:
        content: what ``tokenizer.json`` would hold.
        like: its switch for special tokens in a text is copied, which the JSON does not hold.
    """
    made = Tokenizer.from_str(json.dumps(content))
    made.no_truncation()
    made.no_padding()
    made.encode_special_tokens = like.encode_special_tokens
    return made


def by_id(tokenizer: Tokenizer) -> list[tuple[str, int]]:
    """All pieces with their ids, added tokens included, in the order of the ids."""
    return sorted(tokenizer.get_vocab().items(), key=lambda piece: piece[1])


def counted_ids(tokenizer: Tokenizer, texts: Sequence[str]) -> Counter[int]:
    """How often texts are read with each id, special tokens left out."""
    found: Counter[int] = Counter()
    for start in range(0, len(texts), _AT_ONCE):
        for encoding in tokenizer.encode_batch_fast(list(texts[start : start + _AT_ONCE]), add_special_tokens=False):
            found.update(encoding.ids)
    return found
