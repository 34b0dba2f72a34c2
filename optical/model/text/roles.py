"""How a model reads a text in the role of a query and in the role of a document."""

from dataclasses import dataclass, field
from typing import Literal

from optical.errors import require

Role = Literal["query", "document"]
Scored = Literal["all", "inner"]
ROLES: tuple[Role, ...] = ("query", "document")


@dataclass(frozen=True, kw_only=True)
class RoleSettings:
    """What one role puts around a text, and which of its tokens take part in MaxSim."""

    prefix: str = ""
    """Text that is put in front, such as ``query: ``."""
    marker: str = ""
    """Token of the vocabulary that stands behind the opening special tokens, such as ``[unused0]``."""
    overwrites: bool = False
    """Whether the marker takes the place of the prefix's first token, as in PLAID-X and ColBERT-X, instead of standing
    before it."""
    expand_to: int = 0
    """Query augmentation: a shorter text is filled up to so many tokens, and these score too; 0 fills nothing."""
    filler: str = ""
    """The token that fills; the mask token by default."""
    attends: bool = False
    """Whether other tokens attend to the filling ones."""
    silent: tuple[str, ...] = ()
    """Texts whose tokens do not score, such as punctuation."""
    silent_by: Literal["token", "first_piece"] = "token"
    """What they mean: tokens of the vocabulary (others are ignored), as in PyLate and sentence-transformers, or the
    first piece that the tokenizer makes of each, as in ColBERT."""
    scored: Scored = "all"
    """Which tokens score: all real ones, or only those of the text itself, without special tokens, marker and
    prefix."""

    def __post_init__(self) -> None:
        require(self.expand_to >= 0, "expand_to", f"is {self.expand_to}", "set 0 or more")
        choices = ("all", "inner")
        require(self.scored in choices, "scored", f"is {self.scored!r}", f"choose from {', '.join(choices)}")
        what = "replaces the first token of a prefix, and there is none"
        require(bool(self.prefix) or not self.overwrites, "marker", what, "give the prefix")


@dataclass(frozen=True, kw_only=True)
class Roles:
    """The settings of both roles."""

    query: RoleSettings = field(default_factory=RoleSettings)
    document: RoleSettings = field(default_factory=RoleSettings)

    def of(self, role: Role) -> RoleSettings:
        """The settings of one role."""
        return self.query if role == "query" else self.document

    @property
    def markers(self) -> tuple[str, ...]:
        """The markers that exist, each once."""
        return tuple(dict.fromkeys(marker for marker in (self.query.marker, self.document.marker) if marker))
