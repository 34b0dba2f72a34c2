"""Rendering: the same blocks as one self-contained HTML page and as Markdown."""

import base64
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #f6f8fa; color: #24292f; font: 16px/1.55 system-ui, "Segoe UI", "Noto Sans", sans-serif; }
main { max-width: 1080px; margin: 2rem auto; padding: 2rem 2.5rem 3rem; background: #fff; border: 1px solid #d8dee4;
  border-radius: 10px; }
h1 { margin: 0 0 .2rem; font-size: 1.9rem; line-height: 1.25; }
h2 { margin: 2.4rem 0 .7rem; padding-bottom: .3rem; border-bottom: 1px solid #d8dee4; font-size: 1.25rem; }
p { max-width: 75ch; }
.fingerprint { margin: 0; color: #57606a; font: .85rem ui-monospace, "SF Mono", Menlo, Consolas, monospace;
  overflow-wrap: anywhere; }
.lead { margin: 1.4rem 0 0; padding: .9rem 1.2rem; max-width: none; background: #eef5fb; border-left: 4px solid #0072b2;
  border-radius: 0 6px 6px 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: .4rem 0 1.2rem; font-size: .94rem; }
caption { padding: .3rem 0; text-align: left; color: #57606a; }
th, td { padding: .38rem .9rem .38rem 0; border-bottom: 1px solid #eaeef2; text-align: left; vertical-align: top;
  overflow-wrap: anywhere; }
th { border-bottom: 1.5px solid #afb8c1; font-weight: 600; white-space: nowrap; }
.number { padding-left: .9rem; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td:first-child { white-space: nowrap; }
figure { margin: .8rem 0; overflow-x: auto; }
img { display: block; max-width: 100%; height: auto; }
img.wide { max-width: max(100%, 900px); }
figcaption { margin-top: .3rem; color: #57606a; font-size: .88rem; }
@media (max-width: 700px) { main { margin: 0; padding: 1.2rem; border: 0; border-radius: 0; } }
@media print { body { background: #fff; } main { margin: 0; border: 0; } }
"""
_WIDE_SCALE = 0.6
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
class Picture:
    """A PNG beside the report."""

    path: Path
    caption: str
    wide: bool = False
    """Shown at a legible size and scrolled, instead of shrunk to the page."""


Block = Heading | Paragraph | Table | Picture


def render_html(title: str, fingerprint: str, blocks: Sequence[Block]) -> str:
    """One HTML page that needs no other file: style inline, pictures as base64, all text escaped."""
    name = html.escape(title)
    body = "\n".join(_html_block(block) for block in blocks)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'\">\n"
        f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n<h1>{name}</h1>\n"
        f'<p class="fingerprint">fingerprint {html.escape(fingerprint)}</p>\n{body}\n</main>\n</body>\n</html>\n'
    )


def render_markdown(title: str, fingerprint: str, blocks: Sequence[Block]) -> str:
    """Markdown that links the pictures beside it, with all text escaped."""
    head = [f"# {escape_markdown(title)}", f"fingerprint `{fingerprint.replace('`', '')}`"]
    return "\n\n".join(head + [_markdown_block(block) for block in blocks]) + "\n"


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
        case Picture():
            return _html_picture(block)
        case Table():
            return _html_table(block)


def _html_picture(picture: Picture) -> str:
    content = picture.path.read_bytes()
    caption = html.escape(picture.caption)
    kind = ""
    if picture.wide:
        pixels = int.from_bytes(content[16:20], "big")  # the PNG header's width
        kind = f' class="wide" width="{round(pixels * _WIDE_SCALE)}"'
    image = f'<img{kind} alt="{caption}" src="data:image/png;base64,{base64.b64encode(content).decode()}">'
    return f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _html_table(table: Table) -> str:
    caption = f"<caption>{html.escape(table.caption)}</caption>" if table.caption else ""
    head = _html_cells(table.header, "th", table.numeric)
    rows = "\n".join(f"<tr>{_html_cells(row, 'td', table.numeric)}</tr>" for row in table.rows)
    return (
        f'<div class="scroll"><table>{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody></table></div>'
    )


def _html_cells(cells: tuple[str, ...], tag: str, numeric: frozenset[int]) -> str:
    classes = ['class="number"' if place in numeric else "" for place in range(len(cells))]
    return "".join(
        f"<{' '.join(filter(None, (tag, kind)))}>{html.escape(cell)}</{tag}>"
        for cell, kind in zip(cells, classes, strict=True)
    )


def _markdown_block(block: Block) -> str:
    match block:
        case Heading(text):
            return f"## {escape_markdown(text)}"
        case Paragraph(text, lead):
            return f"**{escape_markdown(text)}**" if lead else escape_markdown(text)
        case Picture(path, caption):
            return f"![{escape_markdown(caption)}]({path.name})"
        case Table():
            rule = ["---:" if place in block.numeric else "---" for place in range(len(block.header))]
            lines = [[escape_markdown(cell) for cell in block.header], rule]
            lines += [[escape_markdown(cell) for cell in row] for row in block.rows]
            table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
            return f"{escape_markdown(block.caption)}\n\n{table}" if block.caption else table
