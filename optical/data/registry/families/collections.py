"""Test collections: queries in another language, passages in English, and judgements. None is ever trained on."""

from optical.data.registry.family import Family

_AFRIQA = "eval/afriqa/gold_passages/{code}/gold_span_passages.afriqa.{code}.en.{split}.json"
_AFRIQA_FILES = tuple(
    _AFRIQA.format(code=code, split=split)
    for code, splits in (
        ("bem", ("dev", "train")),
        ("hau", ("dev", "train")),
        ("ibo", ("dev", "train")),
        ("kin", ("dev", "train")),
        ("swa", ("test",)),
        ("twi", ("dev", "train")),
        ("yor", ("train",)),
        ("zul", ("dev", "train")),
    )
    for split in splits
)


def _collection(
    name: str,
    reader: str,
    files: tuple[str, ...],
    licence: str,
    attribution: str,
    languages: tuple[str, ...] = (),
    target: str = "eng",
) -> Family:
    return Family(
        name=name,
        kind="collection",
        reader=reader,
        files=files,
        licence=licence,
        attribution=attribution,
        languages=languages,
        target=target,
    )


FAMILIES = (
    _collection(
        "xquad-{code}",
        "xquad",
        ("eval/xquad/xquad.{x}.json", "eval/xquad/xquad.en.json"),
        "CC-BY-SA-4.0",
        "DeepMind XQuAD (Artetxe et al. 2020)",
    ),
    _collection(
        "lareqa-{code}",
        "lareqa",
        ("eval/lareqa/xquad-r/{x}.json", "eval/lareqa/xquad-r/en.json"),
        "CC-BY-SA-4.0",
        "Google LAReQA, XQuAD-R (Roy et al. 2020)",
    ),
    _collection(
        "afriqa-{code}",
        "afriqa",
        _AFRIQA_FILES,
        "CC-BY-4.0",
        "Masakhane AfriQA (Ogundepo et al. 2023)",
        languages=("bem", "hau", "ibo", "kin", "swa", "twi", "zul"),
    ),
    _collection(
        "afriqa-{code}",
        "afriqa",
        tuple(
            f"eval/afriqa/gold_passages/fon/gold_span_passages.afriqa.fon.fr.{split}.json" for split in ("dev", "train")
        ),
        "CC-BY-4.0",
        "Masakhane AfriQA (Ogundepo et al. 2023)",
        languages=("fon",),
        target="fra",
    ),
    _collection(
        "belebele-{code}",
        "belebele",
        ("eval/belebele-africa/belebele_{x}.jsonl", "eval/belebele-africa/belebele.jsonl"),
        "CC-BY-SA-4.0",
        "Meta Belebele (Bandarkar et al. 2023), with the translations of Bridging the Gap",
    ),
    _collection(
        "tatoeba-v1-{code}",
        "sentences",
        ("eval/tatoeba-v1/tatoeba.{x}-eng.{x}", "eval/tatoeba-v1/tatoeba.{x}-eng.eng"),
        "CC-BY-2.0-FR",
        "tatoeba.org contributors, selection by LASER (Artetxe and Schwenk 2019)",
    ),
    _collection(
        "ntrex-headlines-{code}",
        "ntrex",
        (
            "eval/ntrex128/newstest2019-ref.{x}.txt",
            "eval/ntrex128/newstest2019-src.eng.txt",
            "eval/ntrex128/DOCUMENT_IDS.tsv",
        ),
        "CC-BY-SA-4.0",
        "Microsoft NTREX-128 (Federmann et al. 2022)",
    ),
    _collection(
        "global-mmlu-lite-{code}",
        "global-mmlu",
        (
            "eval/global-mmlu-lite/global_mmlu_lite_{x}_test.jsonl",
            "eval/global-mmlu-lite/global_mmlu_lite_en_test.jsonl",
        ),
        "Apache-2.0",
        "Cohere For AI Global-MMLU-Lite, copies in SEA-HELM",
    ),
    _collection(
        "mmlu-clinical-{code}",
        "mmlu",
        tuple(
            f"eval/mmlu-clinical-africa/{subject}_test{code}.csv"
            for code in ("_{x}", "")
            for subject in ("clinical_knowledge", "college_medicine", "virology")
        ),
        "MIT",
        "MMLU (Hendrycks et al. 2021), translations by Bridging the Gap",
    ),
    _collection(
        "xor-tydi-dev-{code}",
        "xor-tydi",
        ("bitext/mkqa-mia2022/mia_2022_dev_xorqa.jsonl",),
        "Apache-2.0",
        "XOR-TyDi QA (Asai et al. 2021) dev questions, split of MIA 2022; no passages",
        languages=("ar", "bn", "fi", "ja", "ko", "ru", "te"),
    ),
)
"""Everything a system can be tested on."""
