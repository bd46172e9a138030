"""The files that let model2vec, sentence-transformers and tokenizers open a model folder as it stands."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wordgeo.files import write_json

__all__ = ["folds_case", "unknown_token", "write_config", "write_modules", "write_tokenizer"]


def write_config(path: Path, dimensions: int) -> None:
    """What model2vec reads. Vectors are given out as they are, and texts are not cut off."""
    config = {
        "model_type": "model2vec",
        "architectures": ["StaticModel"],
        "hidden_dim": dimensions,
        "normalize": False,
        "max_length": None,
        "embedding_dtype": "float32",
    }
    write_json(path, config)


def write_modules(path: Path) -> None:
    """What sentence-transformers reads to find its `StaticEmbedding` in the folder itself."""
    modules = [{"idx": 0, "name": "0", "path": ".", "type": "sentence_transformers.models.StaticEmbedding"}]
    path.write_text(json.dumps(modules, indent=2) + "\n", encoding="utf-8", newline="\n")


def write_tokenizer(path: Path, words: Sequence[str], provenance: Mapping[str, Any]) -> None:
    """A tokenizer of whole words between whitespace, whose ids are the rows; the row below the words is unknown.

    Text is brought to NFC unless some word is not in NFC itself (it could never be met), and to lower case where the
    corpus was.
    """
    normalizers = []
    if all(unicodedata.is_normalized("NFC", word) for word in words):
        normalizers.append({"type": "NFC"})
    if folds_case(provenance):
        normalizers.append({"type": "Lowercase"})
    unknown = unknown_token(words)
    vocabulary = {word: row for row, word in enumerate([*words, unknown])}
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": normalizers} if normalizers else None,
        "pre_tokenizer": {"type": "WhitespaceSplit"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": unknown},
    }
    text = json.dumps(tokenizer, ensure_ascii=False, separators=(",", ":"))
    path.write_text(text, encoding="utf-8", newline="\n")


def unknown_token(words: Sequence[str]) -> str:
    """`[UNK]`, in more brackets where that is a word itself.

    >>> unknown_token(["the", "[UNK]"])
    '[[UNK]]'
    """
    taken = {word for word in words if "[UNK]" in word}
    token = "[UNK]"
    while token in taken:
        token = f"[{token}]"
    return token


def folds_case(provenance: Mapping[str, Any]) -> bool:
    """Whether the corpus was brought to lower case, as far as the provenance says."""
    corpus = provenance.get("corpus")
    return "lower" in (provenance.get("case"), corpus.get("case") if isinstance(corpus, Mapping) else None)
