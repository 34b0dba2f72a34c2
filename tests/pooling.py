"""Tiny sentence-transformers folders that pool: one vector for each text."""

import json
from pathlib import Path

from optical.model.encoder import Encoder
from optical.model.storage import save_encoder

PROMPTS = {"query": "child ", "passage": "water "}
_MODULES = (("Transformer", ""), ("Pooling", "1_Pooling"), ("Normalize", "2_Normalize"))


def save_pooled(encoder: Encoder, folder: Path, mode: str = "mean") -> Path:
    """Write the backbone of ``encoder`` as a folder that pools by ``mode`` and puts ``PROMPTS`` in front."""
    folder.mkdir(parents=True)
    save_encoder(Encoder(encoder.backbone, encoder.reader), folder)
    modules = [
        {"idx": number, "name": str(number), "path": path, "type": f"sentence_transformers.models.{name}"}
        for number, (name, path) in enumerate(_MODULES)
    ]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "config_sentence_transformers.json").write_text(json.dumps({"prompts": PROMPTS}))
    (folder / "1_Pooling").mkdir()
    key = {"mean": "pooling_mode_mean_tokens", "cls": "pooling_mode_cls_token"}[mode]
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({"word_embedding_dimension": 32, key: True}))
    return folder
