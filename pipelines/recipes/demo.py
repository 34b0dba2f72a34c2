"""The embedded default: no network, no data, two cores, a few minutes."""

from optical.data.bitext.config import BitextConfig
from optical.evaluation.protocols.crosslingual import Config as CrossLingual
from optical.index.kinds import exact
from optical.objectives import ot
from optical.recipe import Recipe, ScratchConfig, TeacherConfig
from optical.train.config import TrainConfig


def demo() -> Recipe:
    """Every arrow of the pipeline on generated Swahili and English.

    Command: ``make demo``, or ``python -m pipelines run demo``. Two cores, 3 to 5 minutes. The README has the table.
    The student may pass the ceiling: this teacher is small and briefly trained.
    """
    return Recipe(
        name="demo",
        bitext=BitextConfig(datasets=("demo",), source="swa", target="eng", dev_pairs=200),
        teacher=TeacherConfig(
            weights="scratch",
            query_length=32,
            document_length=128,
            scratch=ScratchConfig(
                pairs=("demo-questions",),
                vocabulary=3000,
                train=TrainConfig(
                    epochs=6, batch_pairs=32, source_length=32, target_length=128, learning_rate=1e-3, dev_steps=100
                ),
            ),
        ),
        objective=ot.Config(epsilon=0.1),
        train=TrainConfig(epochs=6, batch_pairs=32, learning_rate=1e-3, dev_steps=100),
        index=exact.Config(depth=400),
        evaluation=CrossLingual(collection="demo-topics"),
    )
