"""Blocks: the parts of a page, shown as one self-contained HTML page and as Markdown."""

import base64
import html
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from optical.artefacts import write_whole

_PNG_SCALE = 0.6
_MARKDOWN = re.compile(r"([\\`*_\[\]|~#$])")


class Block:
    """A part of a page."""

    @property
    def kind(self) -> str:
        """Which part it is, for the template."""
        return type(self).__name__.lower()


@dataclass(frozen=True)
class Heading(Block):
    """The title of a section."""

    text: str


@dataclass(frozen=True)
class Paragraph(Block):
    """A paragraph of plain text; ``lead`` marks the one that states the result."""

    text: str
    lead: bool = False


@dataclass(frozen=True)
class Table(Block):
    """A table of plain text; ``numeric`` names the columns that are aligned right."""

    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    caption: str = ""
    numeric: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Terms(Block):
    """Terms and their meanings."""

    meanings: Mapping[str, str]


@dataclass(frozen=True)
class Code(Block):
    """Text to copy without change."""

    text: str
    language: str = ""


@dataclass(frozen=True)
class Picture(Block):
    """A PNG or SVG file beside the page; on a narrow page it keeps a legible size and scrolls."""

    path: Path
    caption: str

    def inline(self) -> Markup:
        """The picture as part of an HTML page: SVG as it is, PNG as base64."""
        content = self.path.read_bytes()
        if self.path.suffix == ".svg":
            return Markup(content.decode())
        width = round(int.from_bytes(content[16:20], "big") * _PNG_SCALE)  # the PNG header's width
        data = base64.b64encode(content).decode()
        return Markup('<img width="{}" alt="{}" src="data:image/png;base64,{}">').format(width, self.caption, data)


@dataclass(frozen=True)
class Fold(Block):
    """Blocks that are hidden until the reader opens them."""

    summary: str
    blocks: Sequence[Block]


def fill_template(name: str, **values: object) -> str:
    """A template of this folder with its values, all text escaped.

    Raises:
        jinja2.UndefinedError: a value is missing.
    """
    loader = FileSystemLoader(Path(__file__).parent)
    templates = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True)
    return templates.get_template(name).render(values)


def write_page(html: Path, title: str, fingerprint: str, blocks: Sequence[Block]) -> Path:
    """Write a page as HTML, and as Markdown beside it under the same name; return the HTML's path."""
    write_whole(html.with_suffix(".md"), render_markdown(title, fingerprint, blocks).encode())
    return write_whole(html, render_html(title, fingerprint, blocks).encode())


def render_html(title: str, fingerprint: str, blocks: Sequence[Block]) -> str:
    """One HTML page that needs no other file: style inline, pictures as base64, all text escaped."""
    return fill_template("page.html.j2", title=title, fingerprint=fingerprint, blocks=blocks)


def render_markdown(title: str, fingerprint: str, blocks: Sequence[Block]) -> str:
    """Markdown that links the pictures beside it, with all text escaped."""
    head = [f"# {escape_markdown(title)}", f"fingerprint `{fingerprint.replace('`', '')}`"]
    return "\n\n".join([*head, render_blocks(blocks)]) + "\n"


def render_blocks(blocks: Sequence[Block]) -> str:
    """Blocks as Markdown, without a title."""
    return "\n\n".join(map(_markdown, blocks))


def escape_markdown(text: str) -> str:
    """Text that Markdown, and HTML inside it, shows without change, on one line.

    >>> escape_markdown("a|b <i>")
    'a\\\\|b &lt;i&gt;'
    """
    return _MARKDOWN.sub(r"\\\1", html.escape(" ".join(text.split()), quote=False))


def _markdown(block: Block) -> str:
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
        case Table(header, rows, caption, numeric):
            rule = ["---:" if place in numeric else "---" for place in range(len(header))]
            escaped = [[escape_markdown(cell) for cell in row] for row in (header, *rows)]
            table = "\n".join(f"| {' | '.join(line)} |" for line in (escaped[0], rule, *escaped[1:]))
            return f"{escape_markdown(caption)}\n\n{table}" if caption else table
    raise TypeError(f"{type(block).__name__} is not a block")
