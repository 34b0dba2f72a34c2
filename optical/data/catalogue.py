"""The catalogue: the table behind the registry. To add a data set, add its files and an entry here."""

from collections.abc import Iterator

from optical.data.entry import GENERATOR, DataFile, DataSet

# File names of the generated demo and the sha256 each must have with seed 0.
_DEMO = {
    "bitext.swa": "d43b59d84bcafc610ca238a5fa3add45a8a1bc8faddc06d0137e1c6858e4dcf4",
    "bitext.eng": "59c0a98e5ab92171fc388033375d48a9137066e09c2d5dc00f344444d0d26263",
    "questions.tsv": "906a86f81fc8bd2b540d87f418189cc53dbbb64316aa7a3af863dfa70b31176a",
    "passages.tsv": "c4319ba0275a3ff97a00afb4873406ee04e07c32613b45fce59fd389928e380d",
    "topics.tsv": "d1f552fec76a1de875cd0df447b8e96ba6af4b46c8ef68c14ab2858f6a6319c4",
    "qrels.txt": "310623395b592df2e37195690e0fb5c9d221f3cfe124831020402447ffef42ac",
}

_GLOBALVOICES = {
    "swa": "561e4e04014ad64ff6f1878cbcb461b08ad0b1128e4813d554ac0c9830409e67",
    "en": "bc6c6f0099aea15ad3a3ffa90d510815d55a004cf1a5c5ebdaba725b3fc52ff1",
}

_TICO19 = {
    ("ara", "ar"): "9f08855934280255d0da67accb921939a64e8c72fdcca9ede0f473bf36a09468",
    ("ben", "bn"): "eb6bdd3f2e11705538342492a2fddccc261a1c8223ebb7a753c9796e4d3b2399",
    ("fra", "fr"): "6163c12be9aca3fd11a2d86f762f61d7f5f0608b22afb60bab6e5415d9c455e2",
    ("hau", "ha"): "b7f3f33ceb54edacd162b908a5f7c1463bb2be3ef7348cd2396084b25d7c897d",
    ("hin", "hi"): "15f0c198bf872e190fdbb0bb7b009ecc78a7cb6d36f6f6e727e7f6d64d2b8365",
    ("ind", "id"): "92f5678617da3f69d6f1227aa4a918100f9230f53b19a4105598e9828a176c84",
    ("mar", "mr"): "b6c45e13d5c46cef715c7462449830917ab6156b9610d3cd485a1729ef1ec21e",
    ("orm", "om"): "4eedef554cf4975f8f6150ef333786f1582765951558280d1d84b0c968d352e9",
    ("rus", "ru"): "efe7076a35e82bb0987d4e2e768f1729190acc6fd15c4a821362afd10d600994",
    ("kin", "rw"): "97b31ed64a75e64be9e25bd14273149ca96345d5adbbef1b7066426ac56a59d6",
    ("som", "so"): "0809ea465dafd09dcf871d084ede5a2add08f8a5e9cca884304f21a4187bfa2a",
    ("swa", "sw"): "665d685b739044f805d254494f6da8f93761f71767b5f63582f8b5792c6c8a06",
    ("tam", "ta"): "fe11ff63a5cf6f949a8c4a5290aa54e59cc9583ed4cfff24344b7e6a81a3a843",
    ("tgl", "tl"): "dca3dba5e39008fbcf9c0cece64c5e83352c87f48bebf7c3f8c76a8e1887c725",
    ("zho", "zh"): "094d85c551124723d3ada75db50272c7301bd045df4805eb38e2060b51bfe80d",
    ("zul", "zu"): "e9d81f44f92ee9883852d88aed285bc2ee0577b80bd1343ccc52ebc5e631dd28",
}

_XQUAD = {
    ("ara", "ar"): "abdabd7afed5c635d99cca0f3f0d0c9d9ed0bc77451e963c2e4e0638c29e486d",
    ("deu", "de"): "990b5d746746ed65ed4702ea5f35f99ffa4e2f1c390c07d003642acd937916f9",
    ("ell", "el"): "821cf0f88e73fa258fd2f548b19b6ec39f7025059e16f6f9fc8cd797c9c3663e",
    ("eng", "en"): "e4c57d1c9143aaa1c5d265ba5987a65f4e69528d2a98f29d6e75019b10344f29",
    ("spa", "es"): "dcbae93ec3a9f4b9e78fd834a171d6f96c1a875e10e15b7530b7e4ef4971e37e",
    ("hin", "hi"): "df2cce3532b37e9beb8979704b5c9a4bf874358f105395a298b89427b43b9d24",
    ("ron", "ro"): "94f8d54e93ad2b7dd2e76dd921a666b5b8eff2d4379df9f179c42b445f09643f",
    ("rus", "ru"): "208d5b1aa154c52b1b5c5eda16281e455e8fd198cdb9af3f469f0d6037d973bf",
    ("tha", "th"): "5cdda11d0e1e075f7872abf4e6ae830388ce7f617964d542308e9ae4257e0f43",
    ("tur", "tr"): "92179a564774b7696100d144c1e10870d0a966b6fccbdd254a65b9d2ab1971cc",
    ("vie", "vi"): "f619a1eb11fb42d3ab0834259e488a65f585447ef6154437bfb7199d85161a04",
    ("zho", "zh"): "691d0b3359bc6b8faa8de931dfdfe21d50a65861ae348e32a0d1a0190b0c8835",
}

_AFRIQA_PASSAGES = {
    ("bem", "dev"): "3ec8d5a9f74623a940092399970c6140c6c61322169285606daeae67f41371ae",
    ("bem", "train"): "17dfc33975c94ef5372a72b27108d04a90c2a54096c5fa31c2c1272f0c69037d",
    ("hau", "dev"): "ef9cb217e8ea4922935c7fb9e7456364e91c2712519390071170a18131e9e132",
    ("hau", "train"): "21d975df45d8e1316c964f4fe8521dd7ab455fbe1b0edea1564824352b67be2e",
    ("ibo", "dev"): "9636bfa38368c69319f1b7a2bca1ab995c7b4ad63c5801a25da53b34a5fa4e02",
    ("ibo", "train"): "5300a29efc78c3dec1fc68c66eb1fec3a72577de4136a41d7c85aac355f1a5b8",
    ("kin", "dev"): "5598ac675fecfc5e7009a3cb1a511e81c69983a763715726d3dda2bcd3ed9d28",
    ("kin", "train"): "967a849f4e6d58ebbb3ea81bbbddd4f9d00a30d8752c2354cb894c1596285dc2",
    ("swa", "test"): "18609b69d21c37b737426baed0a4f02495ab237285dd524e8f502f756350d0bf",
    ("twi", "dev"): "d9bd337c4a47bb1dbccffb74fa170e418911c7b6c3cbb8c034ae17d6794ada79",
    ("twi", "train"): "cdbba2a4d6a40e6e8fd587d25cb56e57ea2fe888bac254f66fc29409cec1afaa",
    ("yor", "train"): "864d91d1cab11b587b6535e6a293cc21ba2cf62ce7cc44f175f0fd7656f4925c",
    ("zul", "dev"): "3332f7063e65d80cad27d6625de1c9681569a357a6e6eab64132416e64871689",
    ("zul", "train"): "a5bd82873ef476aaad58cbfb7f5b4234d5f4798aa09ba934dc23edc397355655",
}

_AFRIQA_QUESTIONS = {
    ("swa", "train"): "d5d03c1bf62de83e1dcd951483717773c02b1c2d6fd7fdaaa750bcc7c0751776",
    ("swa", "dev"): "cdc61a37956592318f98c8d6ca7cc3908bfbc5bf2cb30af4c13203c4f446a054",
}


def entries() -> Iterator[DataSet]:
    """Every data set of the registry."""
    yield from _demo()
    yield _globalvoices()
    yield from _tico19()
    yield from _xquad()
    yield from _afriqa()


def _demo() -> Iterator[DataSet]:
    for name, kind, source, reader, files in (
        ("demo", "bitext", "swa", "moses", ("bitext.swa", "bitext.eng")),
        ("demo-questions", "questions", "eng", "tsv", ("questions.tsv",)),
        ("demo-topics", "collection", "swa", "tables", ("passages.tsv", "topics.tsv", "qrels.txt")),
    ):
        yield DataSet(
            name=name,
            kind=kind,
            source=source,
            target="eng",
            reader=reader,
            origin=GENERATOR,
            commit="",
            licence="Apache-2.0",
            attribution="generated by optical.data.demo, seed 0",
            files=tuple(DataFile(file, _DEMO[file], f"demo/{file}") for file in files),
        )


def _globalvoices() -> DataSet:
    return DataSet(
        name="globalvoices-swa",
        kind="bitext",
        source="swa",
        target="eng",
        reader="moses",
        origin="masakhane-io/lafand-mt",
        commit="d441f8b063d63e95eafb72e84317359e27abf95e",
        licence="CC-BY-3.0",
        attribution="Global Voices contributors, via OPUS and lafand-mt",
        files=tuple(
            DataFile(f"data/text_files/en-swa/train.{side}", sha256, f"bitext/globalvoices-en-sw/train.{side}.gz")
            for side, sha256 in _GLOBALVOICES.items()
        ),
    )


def _tico19() -> Iterator[DataSet]:
    for (code, short), sha256 in _TICO19.items():
        file = f"all.en-{short}.tmx.zip"
        yield DataSet(
            name=f"tico19-{code}",
            kind="bitext",
            source=code,
            target="eng",
            reader="tmx",
            origin="tico-19/tico-19.github.io",
            commit="d97615f9cffa28ec7de571e00fbd513e5a1c7fc7",
            licence="CC0-1.0",
            attribution="TICO-19 (Anastasopoulos et al. 2020)",
            files=(DataFile(f"data/TM/{file}", sha256, f"bitext/tico19/{file}"),),
        )


def _xquad() -> Iterator[DataSet]:
    files = {
        code: DataFile(f"xquad.{short}.json", sha256, f"eval/xquad/xquad.{short}.json.gz")
        for (code, short), sha256 in _XQUAD.items()
    }
    for code in files:
        if code == "eng":
            continue
        yield DataSet(
            name=f"xquad-{code}",
            kind="collection",
            source=code,
            target="eng",
            reader="xquad",
            origin="google-deepmind/xquad",
            commit="7d30520c717524000f0d9d2f9c10a069acd9d285",
            licence="CC-BY-SA-4.0",
            attribution="DeepMind XQuAD (Artetxe et al. 2020)",
            files=(files[code], files["eng"]),
        )


def _afriqa() -> Iterator[DataSet]:
    for name, kind, reader, folder, stem, table in (
        ("afriqa-swa", "collection", "afriqa", "gold_passages", "gold_span_passages", _AFRIQA_PASSAGES),
        ("afriqa-questions-swa", "bitext", "jsonl", "queries", "queries", _AFRIQA_QUESTIONS),
    ):
        paths = {f"{folder}/{code}/{stem}.afriqa.{code}.en.{split}.json": sha for (code, split), sha in table.items()}
        yield DataSet(
            name=name,
            kind=kind,
            source="swa",
            target="eng",
            reader=reader,
            origin="masakhane-io/afriqa",
            commit="5c29933753692c28773c34ac1f68482007f1d2bb",
            licence="CC-BY-4.0",
            attribution="Masakhane AfriQA (Ogundepo et al. 2023)",
            files=tuple(DataFile(f"data/{path}", sha, f"eval/afriqa/{path}.gz") for path, sha in paths.items()),
        )
