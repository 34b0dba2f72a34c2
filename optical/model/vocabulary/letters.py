"""How a learned vocabulary reads letters: in lower case if the teacher does, with every mark kept.

BERT's normaliser deletes accents, and Indic vowel signs with them, so that different words become equal. Ours deletes
only characters without sound or meaning: control and format characters, private use, and joiners in scripts that do not
use them.
"""

import json
import unicodedata

from tokenizers import Regex, normalizers, pre_tokenizers
from tokenizers.normalizers import Normalizer
from tokenizers.pre_tokenizers import PreTokenizer

from optical.errors import DataError

_LETTER = r"[\p{L}\p{M}]"
# From Arabic to Myanmar, Khmer and Mongolian, the later Brahmic blocks, Arabic presentation forms, Adlam.
_JOINED_SCRIPTS = (
    r"\x{600}-\x{109f}\x{1780}-\x{18af}\x{1a00}-\x{1cff}\x{a800}-\x{abff}\x{fb50}-\x{fefc}"
    r"\x{10a00}-\x{11fff}\x{1e900}-\x{1e95f}"
)
_SILENT = "|".join(
    [
        r"[\p{Cc}&&[^\t\n\r]]",
        r"[\p{Cf}&&[^\x{200c}\x{200d}]]",
        r"[\p{Co}\x{fffd}\x{fe0e}\x{fe0f}]",  # the last two choose between a sign and its picture
        rf"(?<![\p{{L}}\p{{M}}&&[{_JOINED_SCRIPTS}]])[\x{{200c}}\x{{200d}}]",
        rf"\x{{200c}}(?!\x{{200c}}*{_LETTER})",
    ]
)
# WordPiece reads a word of over 100 characters as [UNK], and Thai or Khmer write whole sentences without a space.
_LONG = r".{50,99}[^\x{0}-\x{7f}](?!\p{M})"
_ASCII = " ".join(map(chr, range(33, 127)))

ACCENTS = frozenset(
    mark
    for code in (*range(0xC0, 0x250), *range(0x1E00, 0x1F00))
    for mark in unicodedata.normalize("NFD", chr(code))[1:]
)
"""The marks of Latin letters. Every learned vocabulary contains them, because names with them occur in any language."""


def keeping_marks(lowercase: bool = True, composed: bool = False) -> Normalizer:
    """A normaliser that deletes no mark.

    Args:
        lowercase: fold case letter by letter; the dot that remains of the Turkish capital I is deleted.
        composed: write a letter and its mark as one character if Unicode has one (NFC), else as two (NFD). Both
            distinguish the same words; with NFD, a letter that was never seen with a mark is still two known
            characters.

    >>> keeping_marks(composed=True).normalize_str("Vo\\u0302\\u0301 \\u0130\\u0131")
    'v\\u1ed1 i\\u0131'
    """
    steps = [
        normalizers.Replace(Regex(_SILENT), ""),
        normalizers.BertNormalizer(clean_text=False, strip_accents=False, lowercase=lowercase),
        normalizers.NFC() if composed else normalizers.NFD(),
    ]
    return normalizers.Sequence([*steps, normalizers.Replace("i\u0307", "i")] if lowercase else steps)


def keeping_marks_like(teacher: Normalizer | None) -> Normalizer:
    """The normaliser that reads ASCII as the teacher's does, and composes letters if the teacher's does.

    Raises:
        DataError: the teacher's normaliser changes more than the case of ASCII text.
    """
    read = teacher.normalize_str if teacher else str
    ours = keeping_marks(lowercase=read("A") == "a", composed=read("\u00e9") == "\u00e9")
    if read(_ASCII).split() != ours.normalize_str(_ASCII).split():
        what = "the teacher's normaliser rewrites ASCII text, which a student's vocabulary cannot imitate"
        raise DataError("student.vocabulary", what, "set student.vocabulary to 0")
    return ours


def cutting_long_words(boundaries: PreTokenizer | None) -> PreTokenizer:
    """The given word boundaries, and further cuts in words that are too long for WordPiece and not in ASCII."""
    cut = pre_tokenizers.Split(Regex(_LONG), "isolated")
    return pre_tokenizers.Sequence([boundaries, cut]) if boundaries else cut


def looks_across_no_space(normalizer: dict | None, boundaries: dict | None) -> bool:
    """Whether a normaliser and word boundaries, as ``tokenizer.json`` has them, are BERT's or ours.

    These treat a word in the same way whatever its neighbours are: canonical order, composition and our patterns do not
    reach across a space.
    """
    bert = pre_tokenizers.BertPreTokenizer()
    ours = [_content(keeping_marks(lowercase, composed)) for lowercase in (True, False) for composed in (True, False)]
    return (
        normalizer is not None
        and (normalizer["type"] == "BertNormalizer" or normalizer in ours)
        and boundaries in [_content(bert), _content(cutting_long_words(bert))]
    )


def _content(part: Normalizer | PreTokenizer) -> dict:
    return json.loads(part.__getstate__())
