"""How a text is to be encoded: the options, checked once, and what a corpus says of those it was made with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wordgeo.corpus.custom import CustomTokenizer, check_tokens, is_custom
from wordgeo.corpus.filters import WordFilter, read_stop_words
from wordgeo.corpus.phrases import PhraseOptions
from wordgeo.corpus.readers import INPUT_FORMATS
from wordgeo.validate import choice, whole_number

__all__ = ["OPTIONAL_STEPS", "Settings", "recorded_and_given"]

# What corpus.json holds only where it is something else.
OPTIONAL_STEPS: dict[str, Any] = {
    "stop_words": None,
    "digits": "keep",
    "min_length": 1,
    "max_length": None,
    "phrases": 0,
    "phrases_min_count": 5,
    "phrases_threshold": 10.0,
}


@dataclass(frozen=True)
class Settings:
    """How text is read and cut into words (`text`), which words stay, and which are joined."""

    text: dict[str, Any]
    words: WordFilter
    phrases: PhraseOptions
    tokenizer: CustomTokenizer | None = None  # where `tokens` names a function

    @classmethod
    def of(
        cls,
        *,
        tokens: str,
        case: str,
        documents: str,
        input_format: str | None,
        field: str,
        encoding_errors: str,
        max_vocab: int | None,
        stop_words: str | Path | None,
        digits: str,
        min_length: int,
        max_length: int | None,
        phrases: int,
        phrases_min_count: int,
        phrases_threshold: float,
    ) -> Settings:
        """From the options of `encode`. Raises `OptionError`, and for the file of stop words what reading it raises."""
        if input_format is not None:
            choice("input_format", input_format, INPUT_FORMATS)
        if max_vocab is not None:
            max_vocab = whole_number("max_vocab", max_vocab, 1)
        text = {
            "tokens": check_tokens("tokens", tokens),
            "case": choice("case", case, ("lower", "keep")),
            "documents": choice("documents", documents, ("blank", "line")),
            "input_format": input_format,
            "field": field,
            "encoding_errors": choice("encoding_errors", encoding_errors, ("replace", "strict")),
            "max_vocab": max_vocab,
        }
        stop = None if stop_words is None else read_stop_words(stop_words)
        return cls(
            text,
            WordFilter(stop, digits, min_length, max_length, lower=case == "lower"),
            PhraseOptions(phrases, phrases_min_count, phrases_threshold),
            CustomTokenizer(tokens) if is_custom(tokens) else None,
        )

    def steps(self) -> dict[str, Any]:
        """What is done to the words, where it is not the default: for `corpus.json`, the fingerprint and the cache."""
        source = {"tokens_blake2b": self.tokenizer.blake2b} if self.tokenizer else {}
        return {**source, **self.words.recorded(), **self.phrases.recorded()}


def recorded_and_given(info: dict[str, Any], name: str, value: Any) -> tuple[Any, Any]:
    """An option of the encoding as `corpus.json` has it, and as it was given now, so that the two can be compared.

    Raises `KeyError` for an option that a corpus does not record.
    """
    recorded = info[name] if name in info or name not in OPTIONAL_STEPS else OPTIONAL_STEPS[name]
    return recorded, read_stop_words(value).to_dict() if name == "stop_words" else value
