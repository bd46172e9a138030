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

ALGORITHMS = ("skipgram", "cbow", "fasttext", "glove", "ppmi")
WORD2VEC, COUNTED = ALGORITHMS[:3], ALGORITHMS[3:]
ENGINES = ("auto", "native", "gensim")
# What can train each algorithm. The first is what `auto` takes.
ENGINES_OF = {
    "skipgram": ("native", "gensim"),
    "cbow": ("native", "gensim"),
    "fasttext": ("gensim",),
    "glove": ("native",),
    "ppmi": ("native",),
}
OF_SUBWORDS = ("min_n", "max_n", "bucket")
OF_NATIVE_WORD2VEC = ("racy", "holdout", "patience")
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


def _rate(name: str, value: object) -> float:
    rate = number(name, value, 0, 1)
    if rate == 0:
        raise OptionError(f"{name} is 0, with which nothing is learned; give a number above 0 and up to 1")
    return rate


def _positive(name: str, value: object) -> float:
    positive = number(name, value, 0)
    if positive == 0:
        raise OptionError(f"{name} is 0; give a number above 0")
    return positive


def _sample(name: str, value: object) -> float:
    sample = number(name, value, 0, 1)
    if sample == 1:
        raise OptionError(f"{name} is 1; give a share of the corpus below 1, or 0 to keep every occurrence")
    return sample


def _threads(name: str, value: int | None) -> int | None:
    return None if value is None else resolve_threads(value)


def _option(check: Check, meaning: str, default: Any, of: tuple[str, ...] = ALGORITHMS, **own: Any) -> Any:
    """An option of the algorithms `of`, with one default for all but those that have their `own`."""
    defaults = {name: own.get(name, default) for name in of}
    return dataclasses.field(default=None, metadata={"check": check, "meaning": meaning, "defaults": defaults})


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Every option of one training run, checked when it is made.

    An option that is unset (None) takes the algorithm's own default, and stays None where it has no meaning for the
    algorithm; setting it there is an error. The names are those of word2vec, GloVe and of Levy, Goldberg & Dagan.
    `alpha` is what its algorithm calls so: word2vec's learning rate, the exponent of GloVe's weights. With `hs` and
    `negative` both on, the two objectives are trained together and their costs add, as in word2vec.c and gensim; `hs`
    alone needs `negative=0`. `docs/training.md` and `docs/glove.md` explain each option.

    Raises `OptionError` naming the option, the value and what is allowed.

    >>> TrainingConfig(algorithm="cbow", dim=50).window, TrainingConfig(algorithm="glove").window
    (5, 10)
    >>> TrainingConfig(dim=0)
    Traceback (most recent call last):
    wordgeo.errors.OptionError: dim is 0; give a whole number from 1 to 10000
    """

    algorithm: str = dataclasses.field(
        default="skipgram",
        metadata={
            "check": partial(choice, allowed=ALGORITHMS),
            "meaning": "skipgram predicts the context, cbow the reverse, fasttext has n-grams; glove, ppmi count first",
            "defaults": {name: name for name in ALGORITHMS},
        },
    )
    engine: str = _option(
        partial(choice, allowed=ENGINES), "what trains; auto takes native where it exists, else gensim", "auto"
    )
    # Above 10,000 dimensions BLAS splits even a single dot product among threads, and bytes depend on their number.
    dim: int = _option(partial(whole_number, low=1, high=10_000), "dimensions of a vector", 100)
    window: int = _option(
        partial(whole_number, low=1, high=10_000), "words on either side that are context", 5, glove=10
    )
    negative: int = _option(
        partial(whole_number, low=0, high=1_000), "noise words for each true one; 0 for none", 5, WORD2VEC
    )
    hs: bool = _option(_switch, "hierarchical softmax", False, WORD2VEC)
    ns_exponent: float = _option(
        partial(number, low=-2, high=2), "noise words are drawn by count to this power", 0.75, WORD2VEC
    )
    cbow_mean: bool = _option(_switch, "cbow averages the context's vectors, else it adds them", True, WORD2VEC)
    shrink_windows: bool = _option(
        _switch, "each window is drawn from 1 to window, so near words weigh more", True, WORD2VEC
    )
    # gensim's tables end at a dot product of 6; larger steps throw vectors beyond it, where nothing is learned.
    alpha: float = _option(
        _rate, "learning rate at the beginning; glove: exponent of the weights", 0.025, (*WORD2VEC, "glove"), glove=0.75
    )
    min_alpha: float = _option(partial(number, low=0, high=1), "learning rate at the end", 0.0001, WORD2VEC)
    epochs: int = _option(
        partial(whole_number, low=1, high=1_000_000), "passes over the corpus, or its counts", 5,
        (*WORD2VEC, "glove"), glove=15,
    )  # fmt: skip
    min_count: int = _option(partial(whole_number, low=1, high=2**63 - 1), "rarer words are left out", 5)
    sample: float = _option(
        _sample, "words above this share of the corpus are thinned out; 0 for never", 0.001, glove=0.0, ppmi=0.0
    )
    min_n: int = _option(
        partial(whole_number, low=1, high=1_000), "fasttext: characters of the shortest n-grams", 3, ("fasttext",)
    )
    max_n: int = _option(
        partial(whole_number, low=1, high=1_000), "fasttext: characters of the longest n-grams", 6, ("fasttext",)
    )
    bucket: int = _option(
        partial(whole_number, low=1, high=MOST_BUCKETS), "fasttext: n-grams share so many vectors", 2_000_000,
        ("fasttext",),
    )  # fmt: skip
    racy: bool = _option(
        _switch, "native: threads update without waiting: faster, and other bytes each time", False, WORD2VEC[:2]
    )
    holdout: float = _option(
        partial(number, low=0, high=0.5), "native: this share of the sentences is left out to measure the loss", 0.0,
        WORD2VEC[:2],
    )  # fmt: skip
    patience: int | None = _option(
        partial(whole_number, low=1, high=1_000_000),
        "native: ends after so many epochs without a better held-out loss; unset for never",
        None, WORD2VEC[:2],
    )  # fmt: skip
    sides: str = _option(
        partial(choice, allowed=("both", "left", "right")), "on which sides of a word its context stands", "both",
        COUNTED,
    )  # fmt: skip
    weighting: str = _option(
        partial(choice, allowed=("harmonic", "flat", "dynamic")),
        "what a pair d words apart counts: harmonic 1/d, flat 1, dynamic (window - d + 1) / window",
        "harmonic", COUNTED, ppmi="dynamic",
    )  # fmt: skip
    bounds: str = _option(
        partial(choice, allowed=("sentence", "document")), "what a window does not cross", "sentence", COUNTED
    )
    subsampling: str = _option(
        partial(choice, allowed=("dirty", "clean")),
        "words left out let the window reach further (dirty), or keep their place (clean)", "dirty", COUNTED,
    )  # fmt: skip
    combine: str = _option(
        partial(choice, allowed=("sum", "word", "context")),
        "the vector of a word: as word, as context, or the sum of both", "sum", COUNTED, ppmi="word",
    )  # fmt: skip
    x_max: float = _option(_positive, "glove: counts from here on have the full weight", 100.0, ("glove",))
    learning_rate: float = _option(_rate, "glove: learning rate of AdaGrad", 0.05, ("glove",))
    bias_learning_rate: float = _option(
        _rate, "glove: that of the biases; 1 as in the authors' program", 1.0, ("glove",)
    )
    init: str = _option(
        _path, "glove: uniform begins with random vectors, a model's name with those of its words", "uniform",
        ("glove",),
    )  # fmt: skip
    context_smoothing: float = _option(
        partial(number, low=0, high=2), "ppmi: contexts are taken by count to this power", 0.75, ("ppmi",)
    )
    shift: float = _option(
        partial(number, low=1, high=1e6), "ppmi: the logarithm of this number is taken away; 1 for nothing", 1.0,
        ("ppmi",),
    )  # fmt: skip
    eigenvalue_power: float = _option(
        partial(number, low=0, high=1), "ppmi: singular values are taken to this power", 0.5, ("ppmi",)
    )
    seed: int = _option(
        partial(whole_number, low=0, high=2**32 - 1), "start of all random draws; ppmi has none of its own", 1
    )
    threads: int | None = _option(
        _threads, "unset takes the cores; with gensim only 1 gives the same bytes each time", None
    )

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            value, defaults = getattr(self, field.name), field.metadata["defaults"]
            if field.name != "algorithm" and self.algorithm not in defaults:
                if value is not None:
                    self._refuse(field.name)
            elif field.name != "algorithm" and value is None:
                object.__setattr__(self, field.name, defaults[self.algorithm])
            else:
                object.__setattr__(self, field.name, field.metadata["check"](field.name, value))
        if self.algorithm in WORD2VEC:
            self._check_word2vec()
        self._check_engine()

    def _check_word2vec(self) -> None:
        if self.negative == 0 and not self.hs:
            raise OptionError("negative is 0 and hs is off, so nothing would be trained; turn one of them on")
        if self.min_alpha > self.alpha:
            raise OptionError(
                f"min_alpha is {self.min_alpha:g}; give a number from 0 to alpha, which is {self.alpha:g}"
            )
        if not self.cbow_mean and self.algorithm != "cbow":
            self._refuse("cbow_mean")
        if self.algorithm == "fasttext" and self.max_n < self.min_n:
            raise OptionError(f"max_n is {self.max_n}; give a whole number from min_n, which is {self.min_n}")
        if self.negative == 0 and self.ns_exponent != _fields()["ns_exponent"].metadata["defaults"][self.algorithm]:
            raise OptionError(
                f"ns_exponent is {self.ns_exponent:g}, which has no effect as negative is 0; leave it unset"
            )
        if self.patience is not None and not self.holdout:
            raise OptionError(f"patience is {self.patience}, but no sentence is held out; set holdout too")

    def _check_engine(self) -> None:
        """No pair of engine and options that cannot be; `auto` looks for an engine that has all of them."""
        possible = self._engines()
        if self.engine != "auto" and self.engine not in possible:
            what = f"{self.algorithm} with hs" if self.hs and self.engine == "native" else self.algorithm
            raise OptionError(f"engine is {self.engine!r}, which does not train {what}; choose {' or '.join(possible)}")
        for name in OF_NATIVE_WORD2VEC if self.algorithm in WORD2VEC and self.trains_with == "gensim" else ():
            if getattr(self, name):
                raise OptionError(
                    f"{name} is {_shown(getattr(self, name))}, which gensim does not have; leave it unset"
                )

    def _engines(self) -> list[str]:
        return [name for name in ENGINES_OF[self.algorithm] if not (name == "native" and self.hs)]

    def _refuse(self, name: str) -> None:
        raise OptionError(
            f"{name} is {_shown(getattr(self, name))}, which has no meaning for {self.algorithm}; leave it unset"
        )

    @property
    def trains_with(self) -> str:
        """The engine that trains: `engine` itself, or the one that `auto` takes."""
        return self._engines()[0] if self.engine == "auto" else self.engine

    def parameters(self) -> dict[str, Any]:
        """What shapes the vectors, for the provenance: all options but the algorithm, engine, seed and threads."""
        apart = ["algorithm", "engine", "seed", "threads"]
        if self.trains_with == "gensim":
            apart += OF_NATIVE_WORD2VEC
        return {
            name: getattr(self, name)
            for name, field in _fields().items()
            if name not in apart and self.algorithm in field.metadata["defaults"]
        }


@dataclasses.dataclass(frozen=True, repr=False)
class TrainingDefaults(Result):
    """The default of every option for each algorithm (None where it has no meaning), and what the option means."""

    skipgram: dict[str, Any]
    cbow: dict[str, Any]
    fasttext: dict[str, Any]
    glove: dict[str, Any]
    ppmi: dict[str, Any]
    meaning: dict[str, str]

    def tables(self) -> list[Table]:
        """One row for each option; a dash where it has no meaning for the algorithm."""
        rows = []
        for name, meaning in self.meaning.items():
            known = _fields()[name].metadata["defaults"]
            of = (_shown(getattr(self, each)[name]) if each in known else "-" for each in ALGORITHMS)
            rows.append((name, *of, meaning))
        return [Table(("option", *ALGORITHMS, "meaning"), rows)]


def defaults_table() -> TrainingDefaults:
    """The defaults of all training options, as `wordgeo train --defaults` prints them."""
    of = {name: dataclasses.asdict(TrainingConfig(algorithm=name)) for name in ALGORITHMS}
    return TrainingDefaults(**of, meaning={name: field.metadata["meaning"] for name, field in _fields().items()})


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


def _fields() -> dict[str, dataclasses.Field]:
    return {field.name: field for field in dataclasses.fields(TrainingConfig)}


def _shown(value: Any) -> str:
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:g}" if isinstance(value, float) else str(value)
