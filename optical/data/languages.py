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
ang -          low    Latn Old English
ara ar,arb     high   Arab Arabic
arq -          low    Arab Algerian Arabic
arz -          low    Arab Egyptian Arabic
ast -          low    Latn Asturian
awa -          low    Deva Awadhi
aze az,azj     low    Latn Azerbaijani
bam bm         low    Latn Bambara
bel be         low    Cyrl Belarusian
bem -          low    Latn Bemba
ben bn         medium Beng Bengali
ber -          low    Latn Berber
bos bs         low    Latn Bosnian
bre br         low    Latn Breton
bul bg         medium Cyrl Bulgarian
cat ca         medium Latn Catalan
cbk -          low    Latn Chavacano
ceb -          low    Latn Cebuano
ces cs,cze     medium Latn Czech
cha ch         low    Latn Chamorro
cor kw         low    Latn Cornish
csb -          low    Latn Kashubian
cym cy,wel     low    Latn Welsh
dan da         medium Latn Danish
deu de,ger     high   Latn German
dsb -          low    Latn Lower Sorbian
dtp -          low    Latn Kadazan Dusun
ell el,gre     medium Grek Greek
eng en         high   Latn English
epo eo         low    Latn Esperanto
est et         medium Latn Estonian
eus eu,baq     low    Latn Basque
ewe ee         low    Latn Ewe
fao fo         low    Latn Faroese
fas fa,per,pes medium Arab Persian
fin fi         medium Latn Finnish
fon -          low    Latn Fon
fra fr,fre     high   Latn French
fry fy         low    Latn Western Frisian
gla gd         low    Latn Scottish Gaelic
gle ga         low    Latn Irish
glg gl         low    Latn Galician
gsw -          low    Latn Swiss German
hau ha         low    Latn Hausa
heb he,iw      medium Hebr Hebrew
hin hi         medium Deva Hindi
hrv hr         medium Latn Croatian
hsb -          low    Latn Upper Sorbian
hun hu         medium Latn Hungarian
hye hy,arm     low    Armn Armenian
ibo ig         low    Latn Igbo
ido io         low    Latn Ido
ile ie         low    Latn Interlingue
ilo -          low    Latn Ilocano
ina ia         low    Latn Interlingua
ind id         medium Latn Indonesian
isl is,ice     low    Latn Icelandic
ita it         high   Latn Italian
jav jv         low    Latn Javanese
jpn ja         high   Jpan Japanese
kab -          low    Latn Kabyle
kat ka,geo     low    Geor Georgian
kaz kk         low    Cyrl Kazakh
khm km         low    Khmr Khmer
kin rw         low    Latn Kinyarwanda
kor ko         high   Hang Korean
kur ku,kmr     low    Latn Kurdish
kzj -          low    Latn Coastal Kadazan
lat la         low    Latn Latin
lav lv,lvs     medium Latn Latvian
lfn -          low    Latn Lingua Franca Nova
lit lt         medium Latn Lithuanian
mal ml         low    Mlym Malayalam
mar mr         low    Deva Marathi
max -          low    Latn North Moluccan Malay
mhr chm        low    Cyrl Meadow Mari
mkd mk,mac     low    Cyrl Macedonian
mon mn,khk     low    Cyrl Mongolian
msa ms,may,zsm medium Latn Malay
mya my,bur     low    Mymr Burmese
nds -          low    Latn Low German
nep ne,npi     low    Deva Nepali
nld nl,dut     high   Latn Dutch
nno nn         low    Latn Norwegian Nynorsk
nob nb,no,nor  medium Latn Norwegian
nov -          low    Latn Novial
nso -          low    Latn Northern Sotho
nya ny         low    Latn Chichewa
oci oc         low    Latn Occitan
orm om,gaz     low    Latn Oromo
orv -          low    Cyrl Old East Slavic
pam -          low    Latn Kapampangan
pms -          low    Latn Piedmontese
pol pl         high   Latn Polish
por pt         high   Latn Portuguese
ron ro,rum     medium Latn Romanian
rus ru         high   Cyrl Russian
slk sk,slo     medium Latn Slovak
slv sl         medium Latn Slovenian
sna sn         low    Latn Shona
som so         low    Latn Somali
sot st         low    Latn Southern Sotho
spa es         high   Latn Spanish
sqi sq,alb     low    Latn Albanian
srp sr         medium Cyrl Serbian
sun su         low    Latn Sundanese
swa sw,swh     low    Latn Swahili
swe sv         high   Latn Swedish
swg -          low    Latn Swabian
tam ta         medium Taml Tamil
tat tt         low    Cyrl Tatar
tel te         low    Telu Telugu
tgl tl,fil     low    Latn Tagalog
tha th         medium Thai Thai
tir ti         low    Ethi Tigrinya
tsn tn         low    Latn Tswana
tso ts         low    Latn Tsonga
tuk tk         low    Latn Turkmen
tur tr         medium Latn Turkish
twi tw         low    Latn Twi
tzl -          low    Latn Talossan
uig ug         low    Arab Uyghur
ukr uk         medium Cyrl Ukrainian
urd ur         medium Arab Urdu
uzb uz,uzn     low    Latn Uzbek
vie vi         medium Latn Vietnamese
war -          low    Latn Waray
wol wo         low    Latn Wolof
wuu -          low    Hans Wu Chinese
xho xh         low    Latn Xhosa
yid yi         low    Hebr Yiddish
yor yo         low    Latn Yoruba
yue -          low    Hant Cantonese
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


def known(word: str) -> Language | None:
    """The language a word stands for: a code as in ``language``, or the English name (``Swahili``); None for others.

    >>> known("Swahili").code, known("sw-KE").code, known("passage")
    ('swa', 'swa', None)
    """
    return _by_name().get(word.strip().lower()) or _by_any_code().get(_primary(word))


def canonical(code: str) -> str:
    """The ISO 639-3 code of a known language; any other code in lower case, without region or script."""
    found = _by_any_code().get(_primary(code))
    return found.code if found else _primary(code)


def _primary(code: str) -> str:
    return code.strip().lower().replace("_", "-").partition("-")[0]


@cache
def _by_any_code() -> dict[str, Language]:
    return {code: entry for entry in languages().values() for code in (entry.code, *entry.aliases)}


@cache
def _by_name() -> dict[str, Language]:
    return {entry.name.lower(): entry for entry in languages().values()}
