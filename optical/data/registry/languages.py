"""Languages: one table of codes, names, scripts and resource tiers, fixed before any result.

The table is ``registry/languages.tsv``. It has the languages of the registry, of FLORES-200 and NLLB, of WebFAQ, MLQA,
XOR-TyDi, XTREME-R, CIRAL and AfriCLIRMatrix, and their neighbours. Han script is one: no check tells ``Hans`` from
``Hant``.
"""

import csv
import re
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal, cast

from optical.data.registry.scripts import SCRIPTS
from optical.errors import UserError, suggest

Tier = Literal["low", "medium", "high"]

_TAG = re.compile("([a-z]{2,3})(?:-([a-z]{4}))?(?:-([a-z]{2}|[0-9]{3}))?", re.IGNORECASE)
"""Language, script and region of BCP 47, which FLORES writes with an underscore."""
_PRIVATE = re.compile("q[a-t][a-z]")
_SAME_SCRIPT = {"Kore": "Hang", "Hani": "Hans"}
_REGIONS = frozenset(
    re.findall(
        "..",
        "ADAEAFAGAIALAMAOAQARASATAUAWAXAZBABBBDBEBFBGBHBIBJBLBMBNBOBQBRBSBTBVBWBYBZCACCCDCFCGCHCICKCLCMCNCOCRCUCVCWCX"
        "CYCZDEDJDKDMDODZECEEEGEHERESETFIFJFKFMFOFRGAGBGDGEGFGGGHGIGLGMGNGPGQGRGSGTGUGWGYHKHMHNHRHTHUIDIEILIMINIOIQIR"
        "ISITJEJMJOJPKEKGKHKIKMKNKPKRKWKYKZLALBLCLILKLRLSLTLULVLYMAMCMDMEMFMGMHMKMLMMMNMOMPMQMRMSMTMUMVMWMXMYMZNANCNE"
        "NFNGNINLNONPNRNUNZOMPAPEPFPGPHPKPLPMPNPRPSPTPWPYQARERORSRURWSASBSCSDSESGSHSISJSKSLSMSNSOSRSSSTSVSXSYSZTCTDTF"
        "TGTHTJTKTLTMTNTOTRTTTVTWTZUAUGUMUSUYUZVAVCVEVGVIVNVUWFWSXKYEYTZAZMZW",
    )
)
"""ISO 3166-1; without it ``en-sw``, two languages, would be English somewhere."""
_SCRIPT_OF_REGION = {"CN": "Hans", "SG": "Hans", "TW": "Hant", "HK": "Hant", "MO": "Hant"}
_NEAR = 0.6


@dataclass(frozen=True, slots=True)
class Language:
    """A language: ISO 639-3 code, other codes data sets use for it, names, ISO 15924 scripts, resource tier.

    Its text may be in any of its scripts, the commonest first; a code may name one (``srp_Latn``).
    """

    code: str
    aliases: tuple[str, ...]
    names: tuple[str, ...]
    scripts: tuple[str, ...]
    tier: Tier

    @property
    def name(self) -> str:
        """The English name."""
        return self.names[0]

    @property
    def script(self) -> str:
        """The commonest script."""
        return self.scripts[0]

    @property
    def tag(self) -> str:
        """The one spelling of the language: its code, and the script where one of several was named."""
        listed = languages().get(self.code)
        return self.code if listed and listed.scripts == self.scripts else f"{self.code}_{self.script}"


@cache
def languages() -> dict[str, Language]:
    """Every known language by its ISO 639-3 code."""
    text = files("optical.data.registry").joinpath("languages.tsv").read_text(encoding="utf-8")
    table = {}
    for row in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE):
        aliases, scripts = (tuple(filter(None, row[column].split(","))) for column in ("aliases", "scripts"))
        names = tuple(row["names"].split(", "))
        table[row["code"]] = Language(row["code"], aliases, names, scripts, cast(Tier, row["tier"]))
    return table


def language(code: str, where: str = "language") -> Language:
    """The language a word stands for, as ``known`` understands it.

    >>> language("sw").code, language("srp_Latn").scripts
    ('swa', ('Latn',))

    Args:
        code: a code, a tag or a name.
        where: what the word was given for, for the message.

    Raises:
        UserError: it is not in the table.
    """
    if found := known(code):
        return found
    raise UserError(f"{where} {code!r}", "not in the languages table", _advice(code))


@lru_cache(maxsize=1024)
def known(word: str) -> Language | None:
    """The language a word stands for; None for any other word.

    It understands ISO 639 codes of the table and their aliases, with a script or region behind them
    (``srp_Latn``, ``sw-KE``, ``zh-Hant-TW``), with the script kept; and English names (``Swahili``). A language
    outside the table has a private code with its script, such as ``qaa_Latn``.

    >>> known("Swahili").code, known("sw-KE").code, known("passage")
    ('swa', 'swa', None)
    """
    if named := _by_exact_name().get(word.strip()):
        return named  # "Ga" is a name, and "ga" the code of Irish
    parts = _TAG.fullmatch(_hyphened(word))
    found = _tagged(parts[1].lower(), parts[2], (parts[3] or "").upper()) if parts else None
    return found or _by_name().get(" ".join(word.lower().replace("_", " ").split()))


@lru_cache(maxsize=1024)
def canonical(code: str) -> str:
    """The ISO 639-3 code of a language as a file names it; any other code in lower case.

    More lenient than ``known``: it ignores everything behind the first hyphen (``en-UK``).
    """
    primary = _hyphened(code).lower().partition("-")[0]
    found = known(code) or _by_any_code().get(primary)
    return found.code if found else primary


def _hyphened(code: str) -> str:
    return code.strip().replace("_", "-")


def _tagged(primary: str, named: str | None, region: str) -> Language | None:
    found = _by_any_code().get(primary)
    script = named.title() if named else _SCRIPT_OF_REGION.get(region, "")
    script = _SAME_SCRIPT.get(script, script)
    if (named and script not in SCRIPTS) or not (region in _REGIONS or region.isdigit() or not region):
        return None
    if found is None:
        private = named and _PRIVATE.fullmatch(primary)
        return Language(primary, (), (primary,), (script,), "low") if private else None
    narrowed = script and (named or script in found.scripts)
    return replace(found, scripts=(script,)) if narrowed else found


def _advice(word: str) -> str:
    primary, *rest = _hyphened(word).lower().split("-")
    if rest and (found := _by_any_code().get(primary)):
        return f"did you mean {found.code}? A script or a region stands behind a code as in srp_Latn or sw-KE"
    everything = _by_any_code() | _by_name()
    otherwise = (
        "give an ISO 639 code or English name of optical/data/registry/languages.tsv, or a private code: qaa_Latn"
    )
    return suggest(word.strip().lower(), everything, otherwise, 3, _NEAR, lambda near: _labelled(everything[near]))


def _labelled(entry: Language) -> str:
    return f"{entry.code} ({entry.name})"


@cache
def _by_any_code() -> dict[str, Language]:
    return {code: entry for entry in languages().values() for code in (entry.code, *entry.aliases)}


@cache
def _by_name() -> dict[str, Language]:
    return {name.lower(): entry for entry in languages().values() for name in entry.names}


@cache
def _by_exact_name() -> dict[str, Language]:
    return {name: entry for entry in languages().values() for name in entry.names}
