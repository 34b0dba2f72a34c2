"""Rendering: the same blocks as one self-contained HTML page and as Markdown."""

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from optical.report.style_sheet import STYLE

_PNG_SCALE = 0.6
_LONG = 40
"""Cells of more characters are given room, so that a narrow page scrolls the table instead of standing it on end."""
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#$])")


@dataclass(frozen=True)
class Heading:
    """The title of a section."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text; the ``lead`` one is the answer a reader came for."""

    text: str
    lead: bool = False


@dataclass(frozen=True)
class Table:
    """A table of plain text; ``numeric`` names the columns set flush right."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    caption: str = ""
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Terms:
    """Terms and what each of them means."""

    meanings: Mapping[str, str]


@dataclass(frozen=True)
class Code:
    """Text to be copied as it is."""

    text: str
    language: str = ""


@dataclass(frozen=True)
class Picture:
    """A PNG or SVG beside the report; on a narrow page it keeps a legible size and scrolls."""

    path: Path
    caption: str


@dataclass(frozen=True)
class Fold:
    """Blocks that are shown when they are asked for."""

    summary: str
    blocks: Sequence["Block"]


Block = Heading | Paragraph | Table | Terms | Code | Picture | Fold


def render_html(title: str, fingerprint: str, blocks: Sequence[Block]) -> str:
    """One HTML page that needs no other file: style inline, pictures as base64, all text escaped."""
    name = html.escape(title)
    body = "\n".join(_html_block(block) for block in blocks)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{name}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{name}</h1>\n"
        f'<p class="fingerprint">fingerprint {html.escape(fingerprint)}</p>\n{body}\n</main>\n</body>\n</html>\n'
    )


def render_markdown(title: str, fingerprint: str, blocks: Sequence[Block]) -> str:
    """Markdown that links the pictures beside it, with all text escaped."""
    head = [f"# {escape_markdown(title)}", f"fingerprint `{fingerprint.replace('`', '')}`"]
    return "\n\n".join([*head, render_blocks(blocks)]) + "\n"


def render_blocks(blocks: Sequence[Block]) -> str:
    """Blocks as Markdown, without a title."""
    return "\n\n".join(map(_markdown_block, blocks))


def escape_markdown(text: str) -> str:
    """Text that Markdown and the HTML inside it show as it is, on one line.

    >>> escape_markdown("a|b <i>")
    'a\\\\|b &lt;i&gt;'
    """
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _html_block(block: Block) -> str:
    match block:
        case Heading(text):
            return f"<h2>{html.escape(text)}</h2>"
        case Paragraph(text, lead):
            opening = '<p class="lead">' if lead else "<p>"
            return f"{opening}{html.escape(text)}</p>"
        case Terms(meanings):
            terms = (f"<dt>{html.escape(term)}</dt><dd>{html.escape(text)}</dd>" for term, text in meanings.items())
            return "<dl>\n" + "\n".join(terms) + "\n</dl>"
        case Code(text):
            return f"<pre><code>{html.escape(text)}</code></pre>"
        case Picture():
            return _html_picture(block)
        case Fold(summary, blocks):
            inner = "\n".join(map(_html_block, blocks))
            return f"<details><summary>{html.escape(summary)}</summary>\n{inner}\n</details>"
        case Table():
            return _html_table(block)


def _html_picture(picture: Picture) -> str:
    caption = html.escape(picture.caption)
    content = picture.path.read_bytes()
    if picture.path.suffix == ".svg":
        image = content.decode()
    else:
        width = round(int.from_bytes(content[16:20], "big") * _PNG_SCALE)  # the PNG header's width
        data = base64.b64encode(content).decode()
        image = f'<img width="{width}" alt="{caption}" src="data:image/png;base64,{data}">'
    return f'<figure><div tabindex="0">{image}</div><figcaption>{caption}</figcaption></figure>'


def _html_table(table: Table) -> str:
    caption = f"<caption><span>{html.escape(table.caption)}</span></caption>" if table.caption else ""
    head = _html_cells(table.header, "th", table.numeric)
    rows = "\n".join(f"<tr>{_html_cells(row, 'td', table.numeric)}</tr>" for row in table.rows)
    return (
        f'<div class="scroll" tabindex="0"><table>{caption}<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{rows}\n</tbody></table></div>"
    )


def _html_cells(cells: tuple[str, ...], tag: str, numeric: frozenset[int]) -> str:
    return "".join(
        f"<{tag}{_html_kind(cell, place in numeric)}>{html.escape(cell)}</{tag}>" for place, cell in enumerate(cells)
    )


def _html_kind(cell: str, number: bool) -> str:
    """Text finds its own direction: topics are in any script."""
    if number:
        return ' class="number"'
    return ' class="long" dir="auto"' if len(cell) > _LONG else ' dir="auto"'


def _markdown_block(block: Block) -> str:
    match block:
        case Heading(text):
            return f"## {escape_markdown(text)}"
        case Paragraph(text, lead):
            return f"**{escape_markdown(text)}**" if lead else escape_markdown(text)
        case Terms(meanings):
            return "\n".join(
                f"* **{escape_markdown(term)}**: {escape_markdown(text)}" for term, text in meanings.items()
            )
        case Code(text, language):
            fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
            return f"{fence}{language}\n{text}\n{fence}"
        case Picture(path, caption):
            return f"![{escape_markdown(caption)}]({path.name})"
        case Fold(summary, blocks):
            inner = render_blocks(blocks)
            return f"<details><summary>{html.escape(summary)}</summary>\n\n{inner}\n\n</details>"
        case Table():
            rule = ["---:" if place in block.numeric else "---" for place in range(len(block.header))]
            lines = [[escape_markdown(cell) for cell in block.header], rule]
            lines += [[escape_markdown(cell) for cell in row] for row in block.rows]
            table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
            return f"{escape_markdown(block.caption)}\n\n{table}" if block.caption else table
