"""Every error that a user can cause. Each message says what was wrong, where, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = [
    "CorpusError",
    "FormatError",
    "MissingExtraError",
    "NotFoundError",
    "OptionError",
    "OutputError",
    "ServiceError",
    "ThresholdError",
    "TrainingError",
    "UnknownWordError",
    "WordgeoError",
]


class WordgeoError(Exception):
    """Base of all errors that a user can cause. `exit_code` is what the command line leaves with."""

    exit_code = 1


class OptionError(WordgeoError, ValueError):
    """A value that an option does not take, or options that exclude each other, wherever they were written."""

    exit_code = 2


class NotFoundError(WordgeoError, FileNotFoundError):
    """A file or folder that was named and is not there."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class OutputError(WordgeoError, OSError):
    """The place to write to exists already, is of the wrong kind, or cannot be written."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class FormatError(WordgeoError, ValueError):
    """A file that does not hold what its format says. `path` and `line` say where."""

    def __init__(self, message: str, path: str | Path | None = None, line: int | None = None) -> None:
        self.path, self.line = path, line
        place = "" if path is None else f"{path}: " if line is None else f"{path}, line {line}: "
        super().__init__(place + message)


class CorpusError(WordgeoError, ValueError):
    """A corpus that cannot be encoded or trained on: empty, not UTF-8, changed since it was encoded."""


class TrainingError(WordgeoError, RuntimeError):
    """Training that cannot begin or had to stop."""


class MissingExtraError(WordgeoError, ImportError):
    """A feature whose optional packages are not installed. The message is the line that installs them."""

    def __init__(self, feature: str, extra: str) -> None:
        super().__init__(f"{feature} needs packages that are not installed: pip install 'wordgeo[{extra}]'")


class ServiceError(WordgeoError):
    """A service that cannot be reached or does not answer a question. `status` is its HTTP status, 0 without one."""

    def __init__(self, message: str, status: int = 0) -> None:
        self.status = status
        super().__init__(message)


class ThresholdError(WordgeoError):
    """A score below the threshold that `--fail-under` demands."""

    exit_code = 3


class UnknownWordError(WordgeoError, KeyError):
    """A word outside the vocabulary. `word` is the word, `suggestions` the nearest forms that are in it."""

    def __init__(self, word: str, size: int, suggestions: Sequence[str] = ()) -> None:
        self.word, self.size, self.suggestions = word, size, list(suggestions)
        super().__init__(word)

    def __str__(self) -> str:
        hint = f"; did you mean {', '.join(self.suggestions)}?" if self.suggestions else ""
        return f"'{self.word}' is not among the {self.size} words of the vocabulary{hint}"

    def __reduce__(self) -> tuple[type, tuple[str, int, list[str]]]:
        return type(self), (self.word, self.size, self.suggestions)
