"""Languages: one table of codes, names, scripts and resource tiers, fixed before any result."""

import difflib
from dataclasses import dataclass
from functools import cache
from typing import Literal

from optical.errors import UserError

Tier = Literal["low", "medium", "high"]


@dataclass(frozen=True, slots=True)
class Language:
    """A language: ISO 639-3 code, the other codes data sets use for it, name, ISO 15924 script, resource tier."""

    code: str
    aliases: tuple[str, ...]
    name: str
    script: str
    tier: Tier


_TABLE = """
aar aa         low    Latn Afar
afr af         medium Latn Afrikaans
amh am         low    Ethi Amharic
ara ar,arb     high   Arab Arabic
bam bm         low    Latn Bambara
bem -          low    Latn Bemba
ben bn         medium Beng Bengali
deu de,ger     high   Latn German
ell el,gre     medium Grek Greek
eng en         high   Latn English
ewe ee         low    Latn Ewe
fin fi         medium Latn Finnish
fon -          low    Latn Fon
fra fr,fre     high   Latn French
hau ha         low    Latn Hausa
hin hi         medium Deva Hindi
ibo ig         low    Latn Igbo
ind id         medium Latn Indonesian
jpn ja         high   Jpan Japanese
khm km         low    Khmr Khmer
kin rw         low    Latn Kinyarwanda
kor ko         high   Hang Korean
mar mr         low    Deva Marathi
msa ms,may,zsm medium Latn Malay
mya my,bur     low    Mymr Burmese
nep ne,npi     low    Deva Nepali
nso -          low    Latn Northern Sotho
nya ny         low    Latn Chichewa
orm om,gaz     low    Latn Oromo
ron ro,rum     medium Latn Romanian
rus ru         high   Cyrl Russian
sna sn         low    Latn Shona
som so         low    Latn Somali
sot st         low    Latn Southern Sotho
spa es         high   Latn Spanish
sun su         low    Latn Sundanese
swa sw,swh     low    Latn Swahili
swe sv         high   Latn Swedish
tam ta         medium Taml Tamil
tel te         low    Telu Telugu
tgl tl,fil     low    Latn Tagalog
tha th         medium Thai Thai
tir ti         low    Ethi Tigrinya
tsn tn         low    Latn Tswana
tso ts         low    Latn Tsonga
tur tr         medium Latn Turkish
twi tw         low    Latn Twi
urd ur         medium Arab Urdu
vie vi         medium Latn Vietnamese
wol wo         low    Latn Wolof
xho xh         low    Latn Xhosa
yor yo         low    Latn Yoruba
zho zh,chi,cmn high   Hans Chinese
zul zu         low    Latn Zulu
"""


@cache
def languages() -> dict[str, Language]:
    """Every known language by its ISO 639-3 code."""
    table = {}
    for row in _TABLE.strip().splitlines():
        code, aliases, tier, script, name = row.split(maxsplit=4)
        table[code] = Language(code, () if aliases == "-" else tuple(aliases.split(",")), name, script, tier)
    return table


def language(code: str) -> Language:
    """The language a code stands for: ISO 639-3, a listed alias, or either with a region or script (``sw-KE``).

    >>> language("sw").code
    'swa'

    Raises:
        UserError: the code is not in the table.
    """
    if found := _by_any_code().get(_primary(code)):
        return found
    near = difflib.get_close_matches(_primary(code), _by_any_code(), n=3, cutoff=0.5)
    advice = f"did you mean {', '.join(near)}?" if near else "use an ISO 639-3 code of optical/data/languages.py"
    raise UserError(f"language {code!r}", "not in the languages table", advice)


def canonical(code: str) -> str:
    """The ISO 639-3 code of a known language; any other code in lower case, without region or script."""
    found = _by_any_code().get(_primary(code))
    return found.code if found else _primary(code)


def _primary(code: str) -> str:
    return code.strip().lower().replace("_", "-").partition("-")[0]


@cache
def _by_any_code() -> dict[str, Language]:
    return {code: entry for entry in languages().values() for code in (entry.code, *entry.aliases)}
