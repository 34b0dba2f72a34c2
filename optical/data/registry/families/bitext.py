"""Bitext: sentences, verses, questions and words with their English translations."""

from optical.data.registry.family import Family

_TATOEBA = ("CC-BY-2.0-FR", "tatoeba.org contributors, via manythings.org/anki")

FAMILIES = (
    Family(
        name="globalvoices-{code}",
        kind="bitext",
        reader="moses",
        languages=("swa",),
        files=("bitext/globalvoices-en-sw/train.{x}", "bitext/globalvoices-en-sw/train.en"),
        licence="CC-BY-3.0",
        attribution="Global Voices contributors, via OPUS and lafand-mt",
    ),
    Family(
        name="tico19-{code}",
        kind="bitext",
        reader="tmx",
        files=("bitext/tico19/all.en-{x}.tmx.zip",),
        licence="CC0-1.0",
        attribution="TICO-19 (Anastasopoulos et al. 2020)",
    ),
    Family(
        name="hornmt-{code}",
        kind="bitext",
        reader="moses",
        files=("bitext/hornmt/{x}.txt", "bitext/hornmt/eng.txt"),
        licence="CC-BY-4.0",
        attribution="Lesan, HornMT",
    ),
    Family(
        name="tatoeba-anki-{code}",
        kind="bitext",
        reader="tsv-english-first",
        files=("bitext/tatoeba-anki/{x}.txt",),
        licence=_TATOEBA[0],
        attribution=_TATOEBA[1],
    ),
    Family(
        name="tatoeba-anki-{code}",
        kind="bitext",
        reader="tsv-english-first",
        languages=("deu", "mar"),
        files=("bitext/tatoeba-anki/{x}-eng.zip!{x}.txt",),
        licence=_TATOEBA[0],
        attribution=_TATOEBA[1],
    ),
    Family(
        name="tatoeba-anki-{code}",
        kind="bitext",
        reader="tsv-english-first",
        languages=("fra",),
        files=("bitext/tatoeba-anki/{x}-eng.zip!{x}-eng/{x}.txt",),
        licence=_TATOEBA[0],
        attribution=_TATOEBA[1],
    ),
    *(
        Family(
            name="bible-{code}",
            kind="bitext",
            reader="verses",
            languages=(code,),
            files=(f"bitext/bible/{code}-{edition}.tsv", "bitext/bible/eng-asv-kjvvers.tsv"),
            licence="public-domain",
            attribution=f"{title} and American Standard Version 1901, converted from OSIS of gratis-bible",
        )
        for code, edition, title in (
            ("fin", "1938", "Finnish Bible 1933/38"),
            ("fra", "lsg1910", "Louis Segond 1910"),
            ("tgl", "adb1905", "Ang Dating Biblia 1905"),
        )
    ),
    Family(
        name="bible-{code}",
        kind="bitext",
        reader="verse-lines",
        languages=("deu",),
        files=("bitext/bible/deu-deu1912.txt", "bitext/bible/eng-engwebp.txt", "bitext/bible/vref.txt"),
        licence="public-domain",
        attribution="Luther 1912 and World English Bible, via eBible.org",
    ),
    Family(
        name="flores-sib200-{code}",
        kind="bitext",
        reader="sib200",
        files=tuple(
            f"bitext/flores-sib200/{code}/{split}.tsv"
            for code in ("{x}", "eng_Latn")
            for split in ("train", "dev", "test")
        ),
        licence="CC-BY-SA-4.0",
        attribution="FLORES-200 (NLLB team 2022) sentences by SIB-200 (Adelani et al. 2024)",
    ),
    Family(
        name="mkqa-{code}",
        kind="bitext",
        reader="mkqa",
        languages=("ar", "es", "fi", "ja", "km", "ko", "ms", "ru", "sv", "tr", "zh_cn"),
        files=tuple(
            f"bitext/mkqa-mia2022/{split}.zip!{split}/mkqa-{code}.jsonl"
            for code in ("{x}", "en")
            for split in ("mkqa_dev", "mkqa_test_without_answers")
        ),
        licence="CC-BY-SA-3.0",
        attribution="Apple MKQA (Longpre et al. 2021), split of MIA 2022",
    ),
    Family(
        name="mkqa-{code}",
        kind="bitext",
        reader="mkqa",
        languages=("ta",),
        files=(
            "bitext/mkqa-mia2022/mia2022_test_surprise_tamil_without_answers.jsonl",
            "bitext/mkqa-mia2022/mkqa_test_without_answers.zip!mkqa_test_without_answers/mkqa-en.jsonl",
        ),
        licence="CC-BY-SA-3.0",
        attribution="MIA 2022 translations of Apple MKQA questions",
    ),
    Family(
        name="mgsm-{code}",
        kind="bitext",
        reader="first-columns",
        files=("bitext/mgsm/mgsm_{x}.tsv", "bitext/mgsm/mgsm_en.tsv"),
        licence="CC-BY-4.0",
        attribution="Google MGSM (Shi et al. 2022)",
    ),
    Family(
        name="gatitos-{code}",
        kind="bitext",
        reader="tsv-english-first",
        files=("bitext/gatitos/en_{x}.tsv",),
        licence="CC-BY-4.0",
        attribution="Google GATITOS (Jones et al. 2023), a lexicon",
    ),
    # A language whose dev questions are the topics of a collection gives its train questions alone.
    Family(
        name="afriqa-questions-{code}",
        kind="bitext",
        reader="jsonl",
        languages=("swa", "yor"),
        files=tuple(f"eval/afriqa/queries/{{x}}/queries.afriqa.{{x}}.en.{split}.json" for split in ("train", "dev")),
        licence="CC-BY-4.0",
        attribution="Masakhane AfriQA (Ogundepo et al. 2023)",
    ),
    Family(
        name="afriqa-questions-{code}",
        kind="bitext",
        reader="jsonl",
        languages=("bem", "hau", "ibo", "kin", "twi", "zul"),
        files=("eval/afriqa/queries/{x}/queries.afriqa.{x}.en.train.json",),
        licence="CC-BY-4.0",
        attribution="Masakhane AfriQA (Ogundepo et al. 2023)",
    ),
    Family(
        name="afriqa-questions-{code}",
        kind="bitext",
        reader="jsonl",
        languages=("fon",),
        files=("eval/afriqa/queries/{x}/queries.afriqa.{x}.fr.train.json",),
        licence="CC-BY-4.0",
        attribution="Masakhane AfriQA (Ogundepo et al. 2023)",
        target="fra",
    ),
    Family(
        name="afriqa-questions-{code}",
        kind="bitext",
        reader="jsonl",
        languages=("wol",),
        files=tuple(f"eval/afriqa/queries/{{x}}/queries.afriqa.{{x}}.fr.{split}.json" for split in ("train", "dev")),
        licence="CC-BY-4.0",
        attribution="Masakhane AfriQA (Ogundepo et al. 2023)",
        target="fra",
    ),
)
"""Everything a student can be trained on."""
