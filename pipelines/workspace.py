"""The workspace of a run: which artefacts it needs, what each is made from, and where each lives.

Every artefact is named by the fingerprint of what makes it (its decisive configuration, its data, the artefacts before
it, the versions of their makers), so runs share what they have in common: trials that differ in epsilon share bitext,
teacher, tokens and embeddings, and only train anew.
"""

from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from optical.artefacts import Fingerprint, fingerprint
from optical.data.bitext.sources import parse_source, split_language, understood
from optical.data.collections.opening import collection_identity
from optical.data.fetch.resolve import hashes_of
from optical.data.files.open import split_member
from optical.data.registry.entry import DataSet
from optical.model.folder import weights_fingerprint
from optical.model.weights import find_weights
from optical.recipe import Recipe, decisive
from pipelines.environment import SHARED, Settings
from pipelines.versions import VERSIONS

if TYPE_CHECKING:
    from optical.data.batches.teacher_cache import TeacherCache

_TEACHER_CACHE = "teacher-cache"


class Workspace:
    """Fingerprints and folders of a recipe's artefacts; nothing is read or written until asked for.

    The first fingerprint over data whose hash the registry does not know fetches them.
    """

    def __init__(self, recipe: Recipe, settings: Settings) -> None:
        self.recipe = replace(recipe, bitext=understood(recipe.bitext))
        self.settings = settings
        self.shared = settings.runs_dir / SHARED
        self._decisive = decisive(self.recipe)

    @cached_property
    def run_dir(self) -> Path:
        """This run's own folder."""
        return self.settings.runs_dir / (self.settings.run_name or f"{self.recipe.name}-{self.fingerprint[:12]}")

    @cached_property
    def fingerprint(self) -> Fingerprint:
        """Identity of the run: everything that decides a number in its report, data and weights by their hashes."""
        recipe, settings = self.recipe, [self._decisive["index"], self._decisive["evaluation"]]
        searched = [self.embeddings_fingerprint, *([self.candidates_fingerprint] if self.proposes else [])]
        made_from = [self.student_fingerprint, *searched, recipe.name, recipe.teacher.query_length, *settings]
        return _identified("run", *made_from)

    @property
    def scratch_teacher(self) -> bool:
        """Whether the run trains its own teacher."""
        return self.recipe.teacher.scratch is not None

    # bitext and questions

    @cached_property
    def bitext_fingerprint(self) -> Fingerprint:
        """Identity of the clean bitext shards."""
        config = {**self._decisive["bitext"]}
        del config["dev_pairs"]
        content = [_identity(spec, self.settings) for spec in config.pop("datasets")]
        return _identified("bitext", config, content, *self._held_out)

    @cached_property
    def questions_fingerprint(self) -> Fingerprint:
        """Identity of the clean question-passage shards a scratch teacher learns from."""
        config = {name: self._decisive["bitext"][name] for name in ("cleaning", "target", "max_reject_share")}
        content = [_identity(spec, self.settings) for spec in self.recipe.teacher.scratch.pairs]
        return _identified("questions", config, content, *self._held_out)

    @property
    def _held_out(self) -> list[Fingerprint]:
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
    def collection_fingerprint(self) -> Fingerprint:
        """Identity of the test collection."""
        spec, settings = self.recipe.evaluation.collection, self.settings
        return _identified("collection", collection_identity(spec, settings.cache, settings.mirror))

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
    def teacher_start_fingerprint(self) -> Fingerprint:
        """Identity of a scratch teacher before training: its shape, and the text its vocabulary is learned from."""
        scratch = self._decisive["teacher"]["scratch"]
        shape = {name: scratch[name] for name in ("vocabulary", "hidden", "layers", "heads", "dim")}
        made_from = [shape, scratch["train"]["seed"], self.bitext_fingerprint, self.questions_fingerprint]
        return _identified("teacher-start", *made_from)

    @property
    def teacher_start(self) -> Path:
        """A scratch teacher with random weights."""
        return self._place("teacher-start", self.teacher_start_fingerprint)

    @cached_property
    def question_tokens_fingerprint(self) -> Fingerprint:
        """Identity of the tokenised question-passage pairs."""
        return _identified("question-tokens", self.teacher_start_fingerprint, self.recipe.bitext.dev_pairs)

    @property
    def question_tokens(self) -> Path:
        """Tokenised question-passage pairs."""
        return self._place("question-tokens", self.question_tokens_fingerprint)

    @cached_property
    def teacher_fingerprint(self) -> str:
        """Identity of the teacher's weights; those of a pretrained one are of no version of ours."""
        if not self.scratch_teacher:
            return fingerprint(["teacher", weights_fingerprint(self.pretrained)])
        scratch = self._decisive["teacher"]["scratch"]
        return _identified("teacher", self.question_tokens_fingerprint, scratch["train"], scratch["temperature"])

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
        return _identified("student-start", *made_from)

    @property
    def start(self) -> Path:
        """Encoder folder the student starts from."""
        if not self.recipe.student.vocabulary:
            return self.teacher
        return self._place("student-start", self.start_fingerprint)

    @cached_property
    def tokens_fingerprint(self) -> Fingerprint:
        """Identity of the tokenised bitext."""
        return _identified("tokens", self.bitext_fingerprint, self.start_fingerprint, self.recipe.bitext.dev_pairs)

    @property
    def tokens(self) -> Path:
        """Tokenised bitext."""
        return self._place("tokens", self.tokens_fingerprint)

    @cached_property
    def teacher_cache(self) -> "TeacherCache":
        """What the teacher makes of the target sides, for those who read it instead of asking the teacher."""
        # It brings torch along, which whoever only names a run can do without.
        from optical.data.batches.teacher_cache import TeacherCache

        length = self.recipe.train.target_length
        made_from = _identified(_TEACHER_CACHE, self.teacher_fingerprint, self.tokens_fingerprint, length)
        return TeacherCache(self._place(_TEACHER_CACHE, made_from).absolute(), made_from, length)

    @cached_property
    def student_fingerprint(self) -> Fingerprint:
        """Identity of the distilled student."""
        made_from = [self.tokens_fingerprint, self.teacher_fingerprint, self._decisive["objective"]]
        if self.recipe.teacher.cache:
            made_from.append(self.teacher_cache.fingerprint)
        return _identified("student", *made_from, self._decisive["train"])

    @property
    def student_training(self) -> Path:
        """Folder in which the student is trained."""
        return self.run_dir / "student"

    @property
    def student(self) -> Path:
        """The distilled student's encoder folder."""
        return self.student_training / "encoder"

    def export_fingerprint(self, files: dict[str, str]) -> Fingerprint:
        """Identity of the student's folder for others: the run, and the texts that go with the student."""
        return _identified("export", self.fingerprint, files)

    # index

    @cached_property
    def embeddings_fingerprint(self) -> Fingerprint:
        """Identity of the teacher's embeddings of the collection's passages."""
        teacher = [self.teacher_fingerprint, self.recipe.teacher.document_length]
        return _identified("embeddings", self.collection_fingerprint, *teacher)

    @property
    def embeddings(self) -> Path:
        """The passages' token embeddings."""
        return self._place("embeddings", self.embeddings_fingerprint)

    @property
    def proposes(self) -> bool:
        """Whether the index searches more than the embeddings."""
        return self.recipe.index.builds

    @cached_property
    def candidates_fingerprint(self) -> Fingerprint:
        """Identity of what the index builds from the passages' embeddings."""
        return _identified("candidates", self.embeddings_fingerprint, *self.recipe.index.made_from())

    @property
    def candidates(self) -> Path:
        """What the index builds from the passages' embeddings."""
        return self._place("candidates", self.candidates_fingerprint)

    def _place(self, kind: str, made_from: str) -> Path:
        return self.shared / f"{kind}-{made_from[:12]}"


def _identified(kind: str, *made_from: object) -> Fingerprint:
    return Fingerprint.of(kind, VERSIONS[kind], *made_from)


def _identity(spec: str, settings: Settings) -> dict:
    """A bitext source by content: names and hashes of its files, not where they are."""
    found = parse_source(spec)
    if isinstance(found, DataSet):
        return _registered(found, settings)
    members = [split_member(path)[1] for path in found.paths]
    _, language = split_language(spec)
    suffix = {"language": language} if language else {}
    return {"reader": found.reader, "files": list(found.sha256s), "members": members} | suffix


def _registered(found: DataSet, settings: Settings) -> dict:
    return {"name": found.name, "files": hashes_of(found, settings.cache, settings.mirror)}
