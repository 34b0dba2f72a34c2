"""Tables in LaTeX, for papers: booktabs, all text escaped."""

from collections.abc import Collection, Sequence

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    **{letter: f"\\{letter}" for letter in "&%$#_{}"},
}


def escape_latex(text: str) -> str:
    """Text that LaTeX sets without change, on one line.

    >>> escape_latex("50 % of a_b")
    '50 \\\\% of a\\\\_b'
    """
    return "".join(_SPECIAL.get(letter, letter) for letter in " ".join(text.split()))


def latex_table(
    header: Sequence[str], rows: Sequence[Sequence[str]], caption: str, label: str, bold: Collection[int] = ()
) -> str:
    """A table that ``\\usepackage{booktabs}`` sets; the first column is aligned left, the others right.

    Args:
        header: LaTeX, one cell for each column.
        rows: plain text.
        caption: plain text, above the table.
        label: what ``\\ref`` names.
        bold: the places of the rows whose first cell is bold.
    """
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{escape_latex(caption)}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        r"\toprule",
        f"{' & '.join(header)} \\\\",
        r"\midrule",
    ]
    for place, (first, *others) in enumerate(rows):
        name = escape_latex(first)
        cells = [rf"\textbf{{{name}}}" if place in bold else name, *map(_cell, others)]
        lines.append(f"{' & '.join(cells)} \\\\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", r"\end{table}", ""])


def _cell(text: str) -> str:
    """The words of a cell: numbers with a sign as mathematics, so that the minus is one; the others escaped."""
    words = text.split()
    return " ".join(f"${word}$" if word[0] in "+-" and word[1:2].isdigit() else escape_latex(word) for word in words)
