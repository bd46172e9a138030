"""The options of training: their names, defaults and allowed values, wherever they are written."""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from wordgeo.errors import FormatError, NotFoundError, OptionError
from wordgeo.results import Result, Table
from wordgeo.subwords import MOST_BUCKETS
from wordgeo.threads import resolve_threads
from wordgeo.validate import choice, number, whole_number

__all__ = [
    "ALGORITHMS",
    "ENCODING_OPTIONS",
    "ENGINES",
    "TrainingConfig",
    "TrainingDefaults",
    "check_option",
    "defaults_table",
    "load_toml",
]

ALGORITHMS = ("skipgram", "cbow", "fasttext")
ALGORITHMS_OF_LATER_VERSIONS = ("glove", "ppmi")
OF_SUBWORDS = ("min_n", "max_n", "bucket")
ENGINES = ("auto", "gensim")
MOST_TOML_BYTES = 1 << 20

Check = Callable[[str, Any], Any]


def _switch(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise OptionError(f"{name} is {value!r}; give true or false")
    return value


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or not value:
        raise OptionError(f"{name} is {value!r}; give a text")
    return value


def _path(name: str, value: object) -> str:
    return _text(name, str(value) if isinstance(value, Path) else value)


def _tokens(name: str, value: str) -> str:
    from wordgeo.corpus.custom import check_tokens

    return check_tokens(name, value)


def _algorithm(name: str, value: str) -> str:
    if value in ALGORITHMS_OF_LATER_VERSIONS:
        raise OptionError(f"{name} is {value!r}; this version trains {', '.join(ALGORITHMS)}")
    return choice(name, value, ALGORITHMS)


def _engine(name: str, value: str) -> str:
    if value == "native":
        raise OptionError(f"{name} is 'native', which this version does not have; choose one of {', '.join(ENGINES)}")
    return choice(name, value, ENGINES)


def _rate(name: str, value: object) -> float:
    rate = number(name, value, 0, 1)
    if rate == 0:
        raise OptionError(f"{name} is 0, with which nothing is learned; give a number above 0 and up to 1")
    return rate


def _sample(name: str, value: object) -> float:
    sample = number(name, value, 0, 1)
    if sample == 1:
        raise OptionError(f"{name} is 1; give a share of the corpus below 1, or 0 to keep every occurrence")
    return sample


def _threads(name: str, value: int | None) -> int | None:
    return None if value is None else resolve_threads(value)


def _option(default: Any, check: Check, meaning: str) -> Any:
    return dataclasses.field(default=default, metadata={"check": check, "meaning": meaning})


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Every option of one training run, checked when it is made.

    The names are word2vec's. With `hs` and `negative` both on, the two objectives are trained together and their
    costs add, as in word2vec.c and gensim; `hs` alone needs `negative=0`. `docs/training.md` explains each option.

    Raises `OptionError` naming the option, the value and what is allowed.

    >>> TrainingConfig(algorithm="cbow", dim=50).window
    5
    >>> TrainingConfig(dim=0)
    Traceback (most recent call last):
    wordgeo.errors.OptionError: dim is 0; give a whole number from 1 to 10000
    """

    algorithm: str = _option(
        "skipgram",
        _algorithm,
        "skipgram predicts the context from a word, cbow the reverse; fasttext: skipgram with n-grams",
    )
    engine: str = _option("auto", _engine, "what trains: auto takes gensim")
    # Above 10,000 dimensions BLAS splits even a single dot product among threads, and bytes depend on their number.
    dim: int = _option(100, partial(whole_number, low=1, high=10_000), "dimensions of a vector")
    window: int = _option(5, partial(whole_number, low=1, high=10_000), "words on either side that are context")
    negative: int = _option(5, partial(whole_number, low=0, high=1_000), "noise words for each true one; 0 for none")
    hs: bool = _option(False, _switch, "hierarchical softmax")
    ns_exponent: float = _option(0.75, partial(number, low=-2, high=2), "noise words are drawn by count to this power")
    cbow_mean: bool = _option(True, _switch, "cbow averages the context's vectors, else it adds them")
    shrink_windows: bool = _option(True, _switch, "each window is drawn from 1 to window, so near words weigh more")
    # gensim's tables end at a dot product of 6; larger steps throw vectors beyond it, where nothing is learned.
    alpha: float = _option(0.025, _rate, "learning rate at the beginning")
    min_alpha: float = _option(0.0001, partial(number, low=0, high=1), "learning rate at the end")
    epochs: int = _option(5, partial(whole_number, low=1, high=1_000_000), "passes over the corpus")
    min_count: int = _option(5, partial(whole_number, low=1, high=2**63 - 1), "rarer words are left out")
    sample: float = _option(0.001, _sample, "words above this share of the corpus are thinned out; 0 for never")
    min_n: int = _option(3, partial(whole_number, low=1, high=1_000), "fasttext: characters of the shortest n-grams")
    max_n: int = _option(6, partial(whole_number, low=1, high=1_000), "fasttext: characters of the longest n-grams")
    bucket: int = _option(
        2_000_000, partial(whole_number, low=1, high=MOST_BUCKETS), "fasttext: n-grams share so many vectors"
    )
    seed: int = _option(1, partial(whole_number, low=0, high=2**32 - 1), "start of all random draws")
    threads: int | None = _option(None, _threads, "1 gives the same bytes each time; unset takes the cores")

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            object.__setattr__(self, field.name, field.metadata["check"](field.name, getattr(self, field.name)))
        if self.negative == 0 and not self.hs:
            raise OptionError("negative is 0 and hs is off, so nothing would be trained; turn one of them on")
        if self.min_alpha > self.alpha:
            raise OptionError(
                f"min_alpha is {self.min_alpha:g}; give a number from 0 to alpha, which is {self.alpha:g}"
            )
        if not self.cbow_mean and self.algorithm != "cbow":
            raise OptionError(f"cbow_mean is off, which has no meaning for {self.algorithm}; leave it unset")
        for name in OF_SUBWORDS if self.algorithm != "fasttext" else ():
            if getattr(self, name) != _default(name):
                raise OptionError(
                    f"{name} is {getattr(self, name)}, which has no meaning for {self.algorithm}; leave it unset"
                )
        if self.max_n < self.min_n:
            raise OptionError(f"max_n is {self.max_n}; give a whole number from min_n, which is {self.min_n}")
        if self.negative == 0 and self.ns_exponent != _default("ns_exponent"):
            raise OptionError(
                f"ns_exponent is {self.ns_exponent:g}, which has no effect as negative is 0; leave it unset"
            )

    def parameters(self) -> dict[str, Any]:
        """What shapes the vectors, for the provenance: all options but the algorithm, engine, seed and threads."""
        apart = ("algorithm", "engine", "seed", "threads", *(OF_SUBWORDS if self.algorithm != "fasttext" else ()))
        return {name: value for name, value in dataclasses.asdict(self).items() if name not in apart}


@dataclasses.dataclass(frozen=True, repr=False)
class TrainingDefaults(Result):
    """The default of every option for each algorithm, and what the option means."""

    skipgram: dict[str, Any]
    cbow: dict[str, Any]
    fasttext: dict[str, Any]
    meaning: dict[str, str]

    def tables(self) -> list[Table]:
        """One row for each option."""
        of = (self.skipgram, self.cbow, self.fasttext)
        rows = [(name, *(_shown(each[name]) for each in of), meaning) for name, meaning in self.meaning.items()]
        return [Table(("option", *ALGORITHMS, "meaning"), rows)]


def defaults_table() -> TrainingDefaults:
    """The defaults of all training options, as `wordgeo train --defaults` prints them."""
    of = {name: dataclasses.asdict(TrainingConfig(algorithm=name)) for name in ALGORITHMS}
    meaning = {field.name: field.metadata["meaning"] for field in dataclasses.fields(TrainingConfig)}
    return TrainingDefaults(**of, meaning=meaning)


# How text is made into ids: legal beside the training options wherever those are written.
ENCODING_OPTIONS: dict[str, Check] = {
    "tokens": _tokens,
    "case": partial(choice, allowed=("lower", "keep")),
    "documents": partial(choice, allowed=("blank", "line")),
    "input_format": partial(choice, allowed=("text", "jsonl", "csv", "tsv", "html", "mediawiki", "parquet", "arrow")),
    "field": _text,
    "encoding_errors": partial(choice, allowed=("replace", "strict")),
    "max_vocab": partial(whole_number, low=1),
    "stop_words": _path,
    "digits": partial(choice, allowed=("keep", "zero")),
    "min_length": partial(whole_number, low=1),
    "max_length": partial(whole_number, low=1),
    "phrases": partial(whole_number, low=0, high=10),
    "phrases_min_count": partial(whole_number, low=1),
    "phrases_threshold": partial(number, low=0),
}
MOST_RUNS = 999
_ALL_OPTIONS: dict[str, Check] = {
    **{field.name: field.metadata["check"] for field in dataclasses.fields(TrainingConfig)},
    **ENCODING_OPTIONS,
    "runs": partial(whole_number, low=1, high=MOST_RUNS),
    "resample": partial(choice, allowed=("none", "shuffle", "bootstrap")),
    "fix_seed": _switch,
    "resample_vocabulary": _switch,
    "workers": partial(whole_number, low=1, high=MOST_RUNS),
    "backend": partial(choice, allowed=("processes", "ray")),
}


def check_option(name: str, value: Any) -> Any:
    """The value of any option, if it is allowed by itself. Raises `OptionError`, for names that do not exist too."""
    if name not in _ALL_OPTIONS:
        close = difflib.get_close_matches(name.replace("-", "_").lower(), _ALL_OPTIONS, n=1)
        hint = f"did you mean {close[0]}?" if close else f"the options are {', '.join(_ALL_OPTIONS)}"
        raise OptionError(f"there is no option {name!r}; {hint}")
    return _ALL_OPTIONS[name](name, value)


def load_toml(path: str | Path) -> dict[str, Any]:
    """The options in a TOML file: those of `TrainingConfig`, of the encoding, and `runs`, at the top level.

    Every value is checked by itself; what options mean together is checked by `TrainingConfig`. Raises `OptionError`
    naming the file, the line and, for a name that does not exist, the closest one that does; `FormatError` for a file
    that is not TOML.
    """
    path = Path(path)
    try:
        text = _read(path)
        values = tomllib.loads(text)
    except (ValueError, RecursionError) as problem:
        raise FormatError(f"not valid TOML ({problem})", path) from None
    options = {}
    for name, value in values.items():
        where = f"{path}{_line_of(name, text)}"
        try:
            options[name] = check_option(name, value)
        except OptionError as problem:
            raise OptionError(f"{where}: {problem}") from None
    return options


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_TOML_BYTES + 1)
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist") from None
    except IsADirectoryError:
        raise FormatError("a folder; name a TOML file", path) from None
    if len(data) > MOST_TOML_BYTES:
        raise FormatError(f"more than {MOST_TOML_BYTES} bytes; options do not need as many", path)
    return data.decode("utf-8").replace("\r\n", "\n")


def _line_of(name: str, text: str) -> str:
    found = re.search(rf"^[ \t]*\[*[ \t]*[\"']?{re.escape(name)}[\"']?[ \t]*[=.\]]", text, re.MULTILINE)
    return f", line {text.count(chr(10), 0, found.start()) + 1}" if found else ""


def _default(name: str) -> Any:
    return TrainingConfig.__dataclass_fields__[name].default


def _shown(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
