"""Translations by a pretrained sequence-to-sequence model: beam search, nothing drawn at random."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoModelForSeq2SeqLM
from transformers.utils import logging as transformers_logging

from optical.errors import DataError
from optical.model.translators.folder import load_tokenizer, set_languages

_TEXTS_AT_ONCE = {"cpu": 8, "cuda": 64}
_MORE_TOKENS = 32
"""A translation ends at twice the tokens of the longest text beside it, and so many more."""
_UNBOUNDED = 1 << 20


@torch.inference_mode()
def translate(
    folder: Path,
    texts: Sequence[str],
    codes: tuple[str, str] | None,
    num_beams: int,
    field: str,
    use_gpu: bool = False,
    advance: Callable[[int], None] = lambda count: None,
) -> list[str]:
    """The translation of every text, in one line. Texts of like length share a batch.

    Args:
        folder: of the model.
        texts: to translate.
        codes: of the languages of texts and translations, where the model needs them.
        num_beams: of the beam search; 1 is greedy.
        field: of the recipe that names the model, for errors.
        use_gpu: translate on the GPU of this machine, if it has one.
        advance: receives the number of texts done, for progress.

    Raises:
        DataError: the model does not load, or a text is longer than it reads.
        UserError: the codes are not those of the model.
    """
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()
    tokenizer = load_tokenizer(folder)
    first = set_languages(tokenizer, codes, field)
    model = _load(folder).eval().to("cuda" if use_gpu and torch.cuda.is_available() else "cpu")
    longest = min(getattr(model.config, "max_position_embeddings", _UNBOUNDED), tokenizer.model_max_length, _UNBOUNDED)
    sizes = [len(ids) for ids in tokenizer(list(texts))["input_ids"]] if texts else []
    for text, size in zip(texts, sizes, strict=True):
        if size > longest:
            what = f"reads {longest} tokens, and the query {text[:40]!r} has {size}"
            raise DataError(folder, what, "shorten the query, or give another model")
    order = sorted(range(len(texts)), key=lambda place: (sizes[place], place))
    found = [""] * len(texts)
    step = _TEXTS_AT_ONCE[model.device.type]
    for start in range(0, len(order), step):
        some = order[start : start + step]
        batch = tokenizer([texts[place] for place in some], padding=True, return_tensors="pt").to(model.device)
        most = min(2 * sizes[some[-1]] + _MORE_TOKENS, longest - 1)
        ids = model.generate(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            num_beams=num_beams,
            do_sample=False,
            num_return_sequences=1,
            max_new_tokens=most,
            **({} if first is None else {"forced_bos_token_id": first}),
        )
        for place, text in zip(some, tokenizer.batch_decode(ids, skip_special_tokens=True), strict=True):
            found[place] = " ".join(text.split())
        advance(len(some))
    return found


def _load(folder: Path) -> Any:
    """The model in single precision; no weight is drawn at random.

    Raises:
        DataError: its weights do not load as they are.
    """
    try:
        model, report = AutoModelForSeq2SeqLM.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, KeyError, ImportError, SafetensorError) as error:
        raise DataError(folder, f"weights do not load ({error})".replace("\n", " "), "replace the folder") from error
    if missing := sorted(report["missing_keys"]):
        what = f"its weights do not fit {model.config.model_type}: it lacks {', '.join(missing[:3])}"
        raise DataError(folder, what, "give the weights that belong to config.json")
    return model
