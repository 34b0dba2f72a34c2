"""English questions with the texts that answer them: what a teacher made from scratch is trained on."""

from optical.data.registry.family import Family


def _english(name: str, reader: str, files: tuple[str, ...], licence: str, attribution: str) -> Family:
    return Family(
        name=name,
        kind="questions",
        reader=reader,
        files=files,
        languages=("eng",),
        licence=licence,
        attribution=attribution,
    )


FAMILIES = (
    _english(
        "squad-nqg",
        "moses",
        ("teacher/squad-nqg/processed/tgt-test.txt", "teacher/squad-nqg/processed/src-test.txt"),
        "CC-BY-SA-4.0",
        "SQuAD 1.1, split of Du et al. 2017; lower-cased",
    ),
    _english(
        "nq-oracle",
        "nq-oracle",
        ("teacher/nq-oracle/nq-open-oracle.jsonl",),
        "CC-BY-SA-3.0",
        "Google Natural Questions; Liu et al. 2023",
    ),
    _english("qed", "jsonl", ("teacher/qed/qed-dev.jsonlines",), "CC-BY-SA-3.0", "Google QED (Lamm et al. 2020)"),
    _english(
        "selqa",
        "selqa",
        ("teacher/selqa/ass/selqa-ass-dev.json", "teacher/selqa/ass/selqa-ass-test.json"),
        "Apache-2.0",
        "Emory NLP SelQA (Jurczyk et al. 2016)",
    ),
    _english(
        "medquad",
        "jsonl",
        ("teacher/medquad/medquad.jsonl",),
        "CC-BY-4.0",
        "Ben Abacha and Demner-Fushman 2019, converted from XML",
    ),
    _english("pubmedqa", "pubmedqa", ("teacher/pubmedqa/ori_pqal.json",), "MIT", "Jin et al. 2019"),
)
"""Everything an English teacher can be trained on."""
