"""The folder of a translation model: where it comes from, what it must hold, and the languages it knows.

Safetensors and files of text only; no code of a repository is run.
"""

from pathlib import Path
from typing import Any

from optical.artefacts import sha256_file
from optical.errors import DataError, UserError
from optical.model.folder import CONFIG, WEIGHTS, check_folder
from optical.model.formats.refused import why_unread
from optical.model.weights import FETCHED, from_hub, is_hub_id

_REQUIRED = (CONFIG, WEIGHTS)
_VOCABULARIES = ("*.spm", "sentencepiece.bpe.model", "spiece.model")
"""Files of sentencepiece, which older tokenizers read."""
_DECISIVE = (*FETCHED, *_VOCABULARIES)


def find_translator(weights: str, revision: str | None, field: str) -> Path:
    """The folder of a translation model, complete as far as that is seen without loading it.

    Args:
        weights: a folder or a hub id.
        revision: commit of a hub id.
        field: of the recipe that names it, for errors.

    Raises:
        UserError: no such folder, a hub id without its commit, or one that the hub does not give to this user.
        DataError: the folder is incomplete, or keeps its weights as a pickle.
        InfrastructureError: the hub cannot be reached and its cache has no copy.
    """
    if Path(weights).is_dir():
        return check_folder(Path(weights), _REQUIRED)
    if not is_hub_id(weights):
        what = f"names {weights!r}, which is no folder here"
        raise UserError(field, what, f"give a folder with {', '.join(_REQUIRED)} and a tokenizer, or a hub id")
    if not revision:
        what = f"names {weights}, which is no folder here, and as a hub id lacks its commit"
        raise UserError(field, what, "write translate:owner/model@<commit of 40 digits>")
    return check_folder(from_hub(weights, revision, _DECISIVE), _REQUIRED)


def translator_fingerprint(folder: Path) -> dict[str, str]:
    """Sha256 of every file that may decide a translation, by name."""
    files = {file for pattern in _DECISIVE for file in folder.glob(pattern) if "/" not in pattern and file.is_file()}
    return {file.name: sha256_file(file) for file in sorted(files)}


def check_translator(folder: Path, codes: tuple[str, str] | None, field: str) -> None:
    """Refuse a folder that is no translation model, or that does not know the languages; no weights are loaded.

    Raises:
        DataError: it is no encoder-decoder, or its configuration or tokenizer does not load.
        UserError: it needs language codes, has none, or does not know these.
    """
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(folder, *why_unread(folder, error)) from error
    if not config.is_encoder_decoder:
        what = f"is no encoder-decoder ({config.model_type}), so it translates nothing"
        raise DataError(folder, what, "give a translation model such as Marian, M2M100 or NLLB")
    set_languages(load_tokenizer(folder), codes, field)


def load_tokenizer(folder: Path) -> Any:
    """The tokenizer of a translation model.

    Raises:
        DataError: it does not load.
    """
    from transformers import AutoTokenizer

    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except ImportError as error:
        what = "its tokenizer needs a package that is not installed"
        raise DataError(
            folder, f"{what} ({' '.join(str(error).split())[:200]})", "pip install sentencepiece"
        ) from error
    except Exception as error:  # Each kind of tokenizer fails in its own way.
        what = f"its tokenizer does not load ({type(error).__name__}: {error})".replace("\n", " ")
        raise DataError(folder, what, "give a folder that AutoTokenizer loads") from error


def set_languages(tokenizer: Any, codes: tuple[str, str] | None, field: str) -> int | None:
    """Tell a tokenizer the language of the texts; the id that a translation begins with, None where there is none.

    Raises:
        UserError: the model needs language codes, has none, or does not know these.
    """
    if not hasattr(tokenizer, "src_lang"):
        if codes:
            what = f"gives the codes {'-'.join(codes)} to a model that translates one pair of languages"
            raise UserError(field, what, "leave the codes out")
        return None
    if codes is None:
        what = f"gives no language codes to a model that translates many ({type(tokenizer).__name__})"
        raise UserError(field, what, "write translate:<weights>:swh_Latn-eng_Latn, with the codes of its card")
    ids = [_language_id(tokenizer, code) for code in codes]
    for code, number in zip(codes, ids, strict=True):
        if number is None:
            raise UserError(field, f"has the code {code}, which the model does not know", "take one of its card")
    tokenizer.src_lang = codes[0]
    return ids[1]


def _language_id(tokenizer: Any, code: str) -> int | None:
    """The id of a language's token, which M2M100 writes ``__sw__`` and others as the code."""
    tokens = getattr(tokenizer, "lang_code_to_token", {})
    number = tokenizer.convert_tokens_to_ids(tokens.get(code, code))
    return None if number is None or number == tokenizer.unk_token_id else number
