"""The workspace of a run: which artefacts it needs, what each is made from, and where each lives.

Every artefact is named by the fingerprint of what makes it, so runs share what they have in common: trials that
differ in epsilon share bitext, teacher, tokens and index, and only train anew.
"""

from dataclasses import asdict
from functools import cached_property
from pathlib import Path

from optical.artefacts import FORMAT_VERSION, fingerprint
from optical.config import Recipe, TrainConfig
from optical.data.collections import collection_identity
from optical.data.entry import DataSet
from optical.data.openers import split_member
from optical.data.resolve import hashes_of
from optical.data.sources import parse_source, split_language
from optical.data.teacher_cache import KIND, TeacherCache
from optical.model.weights import find_weights, weights_fingerprint
from pipelines.settings import Settings

_CADENCE = ("checkpoint_steps", "dev_steps")


class Workspace:
    """Fingerprints and folders of a recipe's artefacts; nothing is read or written until asked for.

    The first fingerprint over data whose hash the registry does not know fetches them.
    """

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        self.recipe = recipe
        self.settings = settings
        self.shared = settings.runs_dir / "shared"

    @cached_property
    def run_dir(self) -> Path:
        """This run's own folder."""
        return self.settings.runs_dir / (self.settings.run_name or f"{self.recipe.name}-{self.fingerprint[:12]}")

    @cached_property
    def fingerprint(self) -> str:
        """Identity of the run: everything that decides a number in its report, data and weights by their hashes."""
        recipe = self.recipe
        made_from = [recipe.name, recipe.teacher.query_length, asdict(recipe.index), asdict(recipe.evaluation)]
        return fingerprint([FORMAT_VERSION, self.student_fingerprint, self.index_fingerprint, *made_from])

    @property
    def scratch_teacher(self) -> bool:
        """Whether the run trains its own teacher."""
        return self.recipe.teacher.scratch is not None

    # bitext and questions

    @cached_property
    def bitext_fingerprint(self) -> str:
        """Identity of the clean bitext shards."""
        config = asdict(self.recipe.bitext)
        config.pop("dev_pairs")
        content = [_identity(spec, self.settings) for spec in config.pop("datasets")]
        return fingerprint(["bitext", config, content, *self._held_out])

    @cached_property
    def questions_fingerprint(self) -> str:
        """Identity of the clean question-passage shards a scratch teacher learns from."""
        pairs = self.recipe.teacher.scratch.pairs
        cleaning = asdict(self.recipe.bitext.cleaning)
        content = [_identity(spec, self.settings) for spec in pairs]
        return fingerprint(["questions", cleaning, content, *self._held_out])

    @property
    def _held_out(self) -> list[str]:
        """The test collection whose texts no pair may hold."""
        return [self.collection_fingerprint] if self.recipe.bitext.cleaning.drop_test_leaks else []

    @property
    def bitext(self) -> Path:
        """Clean bitext shards."""
        return self._place("bitext", self.bitext_fingerprint)

    @property
    def questions(self) -> Path:
        """Clean question-passage shards."""
        return self._place("questions", self.questions_fingerprint)

    # collection

    @cached_property
    def collection_fingerprint(self) -> str:
        """Identity of the test collection."""
        return fingerprint(["collection", _collection_identity(self.recipe.evaluation.collection, self.settings)])

    @property
    def collection(self) -> Path:
        """Passages, topics and qrels."""
        return self._place("collection", self.collection_fingerprint)

    # teacher

    @cached_property
    def pretrained(self) -> Path:
        """Folder of a pretrained teacher."""
        return find_weights(self.recipe.teacher.weights, self.recipe.teacher.revision)

    @cached_property
    def teacher_start_fingerprint(self) -> str:
        """Identity of a scratch teacher before training: its shape, and the text its vocabulary is learned from."""
        scratch = asdict(self.recipe.teacher.scratch)
        train = scratch.pop("train")
        made_from = [scratch, train["seed"], self.bitext_fingerprint, self.questions_fingerprint]
        return fingerprint(["teacher-start", *made_from])

    @property
    def teacher_start(self) -> Path:
        """A scratch teacher with random weights."""
        return self._place("teacher-start", self.teacher_start_fingerprint)

    @cached_property
    def question_tokens_fingerprint(self) -> str:
        """Identity of the tokenised question-passage pairs."""
        return fingerprint(["question-tokens", self.teacher_start_fingerprint, self.recipe.bitext.dev_pairs])

    @property
    def question_tokens(self) -> Path:
        """Tokenised question-passage pairs."""
        return self._place("question-tokens", self.question_tokens_fingerprint)

    @cached_property
    def teacher_fingerprint(self) -> str:
        """Identity of the teacher's weights."""
        if not self.scratch_teacher:
            return fingerprint(["teacher", weights_fingerprint(self.pretrained)])
        train = _train_identity(self.recipe.teacher.scratch.train)
        return fingerprint(["teacher", self.question_tokens_fingerprint, train])

    @property
    def teacher_training(self) -> Path:
        """Folder in which a scratch teacher is trained."""
        return self._place("teacher", self.teacher_fingerprint)

    @property
    def teacher(self) -> Path:
        """The teacher's encoder folder."""
        return self.teacher_training / "encoder" if self.scratch_teacher else self.pretrained

    # student

    @cached_property
    def start_fingerprint(self) -> str:
        """Identity of the student before distillation; the teacher's own when no vocabulary is added."""
        if not self.recipe.student.vocabulary:
            return self.teacher_fingerprint
        made_from = [self.recipe.student.vocabulary, self.teacher_fingerprint, self.bitext_fingerprint]
        return fingerprint(["student-start", *made_from])

    @property
    def start(self) -> Path:
        """Encoder folder the student starts from."""
        if not self.recipe.student.vocabulary:
            return self.teacher
        return self._place("student-start", self.start_fingerprint)

    @cached_property
    def tokens_fingerprint(self) -> str:
        """Identity of the tokenised bitext."""
        return fingerprint(["tokens", self.bitext_fingerprint, self.start_fingerprint, self.recipe.bitext.dev_pairs])

    @property
    def tokens(self) -> Path:
        """Tokenised bitext."""
        return self._place("tokens", self.tokens_fingerprint)

    @cached_property
    def teacher_cache(self) -> TeacherCache:
        """What the teacher makes of the target sides, for those who read it instead of asking the teacher."""
        length = self.recipe.train.target_length
        made_from = fingerprint([KIND, self.teacher_fingerprint, self.tokens_fingerprint, length])
        return TeacherCache(self._place(KIND, made_from).absolute(), made_from, length)

    @cached_property
    def student_fingerprint(self) -> str:
        """Identity of the distilled student."""
        made_from = [self.tokens_fingerprint, self.teacher_fingerprint, asdict(self.recipe.objective)]
        if self.recipe.teacher.cache:
            made_from.append(KIND)
        return fingerprint(["student", *made_from, _train_identity(self.recipe.train)])

    @property
    def student_training(self) -> Path:
        """Folder in which the student is trained."""
        return self.run_dir / "student"

    @property
    def student(self) -> Path:
        """The distilled student's encoder folder."""
        return self.student_training / "encoder"

    # index

    @cached_property
    def index_fingerprint(self) -> str:
        """Identity of the teacher's index over the collection's passages."""
        teacher = [self.teacher_fingerprint, self.recipe.teacher.document_length]
        return fingerprint(["index", self.collection_fingerprint, *teacher, self.recipe.index.factory])

    @property
    def index(self) -> Path:
        """The teacher's index."""
        return self._place("index", self.index_fingerprint)

    def _place(self, kind: str, made_from: str) -> Path:
        return self.shared / f"{kind}-{made_from[:12]}"


def _train_identity(config: TrainConfig) -> dict:
    """What of a training configuration decides its result: everything but how often it is looked at or saved."""
    return {name: value for name, value in asdict(config).items() if name not in _CADENCE}


def _identity(spec: str, settings: Settings) -> dict:
    """A bitext source by content: names and hashes of its files, not where they are."""
    found = parse_source(spec)
    if isinstance(found, DataSet):
        return _registered(found, settings)
    members = [split_member(path)[1] for path in found.paths]
    _, language = split_language(spec)
    suffix = {"language": language} if language else {}
    return {"reader": found.reader, "files": list(found.sha256s), "members": members} | suffix


def _collection_identity(spec: str, settings: Settings) -> dict:
    # 2: with its judgements counted, and remarks on them.
    return collection_identity(spec, settings.cache, settings.mirror) | {"format": 2}


def _registered(found: DataSet, settings: Settings) -> dict:
    return {"name": found.name, "files": hashes_of(found, settings.cache, settings.mirror)}
