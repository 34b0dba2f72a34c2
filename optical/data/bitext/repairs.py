"""Repairs: what web pages and tokenizers left in a text is undone before anything is judged, and counted.

Only what no sentence means is touched. ``a < b``, ``<name>``, ``AT&T`` and ``@`` stay as they are, and so do invisible
marks of direction and of word ends, which Persian, Khmer and Indic scripts write.
"""

import html
import re
from html.entities import html5

REPAIRS = {
    "escapes": "accepted after HTML or Moses escapes were undone (&quot; &#39; &amp;amp;)",
    "joints": "accepted after Moses' cut words were joined (well @-@ known)",
    "markup": "accepted after HTML tags were taken out (<br> <i>)",
}
"""What may be repaired in a pair; it is accepted all the same."""

_ESCAPE = re.compile(
    r"&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});|& ?(#[0-9]{2,5}|amp|apos|gt|lt|nbsp|quot) ?;"
)
_MOSES = {"bar": "|", "bra": "[", "ket": "]"}
_TIMES_ESCAPED = 3
_JOINT = re.compile(r"(?<=\S) @(-)@ (?=\S)|(?<=\d) @([.,])@ (?=\d)")
_WITHIN_WORDS = re.compile(
    r"</?(?:a|abbr|b|big|cite|code|del|em|font|i|ins|mark|s|small|span|strike|strong|sub|sup|tt|u)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)
_BETWEEN_WORDS = re.compile(
    r"</?(?:blockquote|br|center|dd|div|dl|dt|h[1-6]|hr|img|li|ol|p|pre|table|tbody|td|th|tr|ul)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)


def repaired(text: str) -> tuple[str, list[str]]:
    """The text without escapes, joints and markup, and which of these it had (keys of ``REPAIRS``).

    >>> repaired("Don&apos;t &amp;amp; won&#39;t<br>well @-@ known")
    ("Don't & won't well-known", ['escapes', 'joints', 'markup'])
    """
    found = []
    for kind, sign, undo in (("escapes", "&", _unescaped), ("joints", "@", _joined), ("markup", "<", _bare)):
        if sign in text and (mended := undo(text)) != text:
            text = mended
            found.append(kind)
    return text, found


def _unescaped(text: str) -> str:
    for _ in range(_TIMES_ESCAPED):
        before, text = text, _ESCAPE.sub(_character, text)
        if text == before:
            break
    return text


def _character(escape: re.Match) -> str:
    name = escape[1] or escape[2]
    if name.startswith("#"):
        return html.unescape(f"&{name};")
    return _MOSES.get(name) or html5.get(f"{name};", escape[0])


def _joined(text: str) -> str:
    return _JOINT.sub(lambda joint: joint[1] or joint[2], text)


def _bare(text: str) -> str:
    return _BETWEEN_WORDS.sub(" ", _WITHIN_WORDS.sub("", text))
