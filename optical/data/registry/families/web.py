"""Large bitext of the web, whose bytes this package has not seen: each file is pinned when it is first fetched."""

from collections.abc import Iterator

from optical.data.registry.entry import HUB, DataFile, DataSet
from optical.data.registry.languages import language

_OPUS = "https://object.pouta.csc.fi"
_XOR = "https://nlp.cs.washington.edu/xorqa/XORQA_site/data"

# Corpus and release, licence, attribution, and the languages (as OPUS writes them) that it has with English.
_CORPORA = (
    (
        "CCAligned",
        "v1",
        "none-stated",
        "CCAligned (El-Kishky et al. 2020), via OPUS",
        "af am ar be bg bn ca cs da de el es et fi fr ha he hi hr hu id ig is it ja ka kk km ko lt lv mk ml mr ms my "
        "ne nl om pl pt ro ru sk sl sn so sq sr sv sw ta te th ti tl tn tr ts uk ur vi wo xh yo zu",
    ),
    (
        "Tatoeba",
        "v2023-04-12",
        "CC-BY-2.0-FR",
        "tatoeba.org contributors, via OPUS",
        "ar bg bn cs da de el es fi fr he hi hu id it ja ko lt mk mr nl pl pt ro ru sr sv sw ta te th tl tr uk ur vi",
    ),
    (
        "TED2020",
        "v1",
        "CC-BY-NC-ND-4.0",
        "TED talks (Reimers and Gurevych 2020), via OPUS",
        "ar bg bn cs da de el es fi fr he hi hr hu id it ja ko lt mk mr my nl pl pt ro ru sk sl so sr sv sw ta te th "
        "tl tr uk ur vi",
    ),
)
_WEBFAQ = (
    "afr amh ara aze bel ben bul cat ces dan deu ell est fas fin fra heb hin hrv hun hye ind isl ita jav jpn kat kaz "
    "khm kor kur lav lit mal mar mkd mon msa mya nep nld pol por ron rus slk slv spa sqi srp swa swe tam tel tgl tha "
    "tur ukr urd uzb vie zho"
)


def entries() -> Iterator[DataSet]:
    """Every set of the web."""
    for corpus, release, licence, attribution, codes in _CORPORA:
        for code in codes.split():
            yield _opus(corpus, release, licence, attribution, code)
    for code in _WEBFAQ.split():
        yield _web(
            f"webfaq-{language(code).code}",
            language(code).code,
            "webfaq",
            f"{HUB}PaDaS-Lab/webfaq-v2-bitexts",
            "main",
            "data/eng.jsonl.gz",
            "CC-BY-4.0",
            "WebFAQ 2.0 (Dinzinger et al. 2025)",
        )
    for code in ("ar", "bn", "fi", "ja", "ko", "ru", "te"):
        yield _web(
            f"xor-tydi-questions-{language(code).code}",
            language(code).code,
            "moses",
            _XOR,
            "",
            f"{code}-en.zip",
            "MIT",
            "XOR-TyDi QA question translations, train (Asai et al. 2021)",
        )


def _opus(corpus: str, release: str, licence: str, attribution: str, code: str) -> DataSet:
    pair = "-".join(sorted((code, "en")))
    path = f"moses/{pair}.txt.zip"
    source = language(code).code
    name = f"opus-{corpus.lower()}-{source}"
    return _web(name, source, "moses", f"{_OPUS}/OPUS-{corpus}/{release}", "", path, licence, attribution)


def _web(
    name: str, source: str, reader: str, origin: str, commit: str, path: str, licence: str, attribution: str
) -> DataSet:
    folder = origin.removeprefix(HUB).removeprefix("https://")
    return DataSet(
        name=name,
        kind="bitext",
        source=source,
        target="eng",
        reader=reader,
        origin=origin,
        commit=commit,
        licence=licence,
        attribution=attribution,
        files=(DataFile(path, None, f"web/{folder}/{path}"),),
    )
