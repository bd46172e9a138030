"""Options that several commands share, each written once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

__all__ = [
    "counting_options",
    "encoding_options",
    "given",
    "neighbor_options",
    "output_options",
    "read_filters",
    "read_words",
    "skip_damaged_option",
]

Function = TypeVar("Function", bound=Callable[..., Any])

skip_damaged_option = click.option(
    "--skip-damaged", is_flag=True, help="Leave out damaged runs of an ensemble, and name them."
)

_ENCODING = [
    click.option(
        "--tokens",
        metavar="HOW",
        help="How text is cut into words: unicode, whitespace, or your package.module:function.  [unicode]",
    ),
    click.option(
        "--case", type=click.Choice(["lower", "keep"]), help="Fold words to lower case, or keep them.  [lower]"
    ),
    click.option("--documents", type=click.Choice(["blank", "line"]), help="What ends a document.  [blank]"),
    click.option(
        "--input-format",
        metavar="NAME",
        help="Of the sources: text, jsonl, csv, tsv, html, mediawiki, parquet, arrow.  [by content]",
    ),
    click.option("--field", metavar="NAME", help="Field of JSON, or column of a table, that holds the text.  [text]"),
    click.option(
        "--encoding-errors",
        metavar="HOW",
        help="Bytes that are not UTF-8: replace (counted) or strict (an error).  [replace]",
    ),
    click.option("--max-vocab", type=int, metavar="N", help="Prune the vocabulary to about N words while counting."),
    click.option(
        "--stop-words",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Drop the words listed in FILE, one a line.",
    ),
    click.option("--digits", type=click.Choice(["keep", "zero"]), help="Keep digits, or make each a 0.  [keep]"),
    click.option("--min-length", type=int, metavar="N", help="Drop words of fewer than N characters.  [1]"),
    click.option("--max-length", type=int, metavar="N", help="Drop words of more than N characters."),
    click.option("--phrases", type=int, metavar="N", help="Passes that join phrases, as new_york; 0 for none.  [0]"),
    click.option("--phrases-min-count", type=int, metavar="N", help="Phrases: how often a pair occurs at least.  [5]"),
    click.option("--phrases-threshold", type=float, metavar="X", help="Phrases: the score a pair has to exceed.  [10]"),
]

_COUNTING = [
    click.option("--sides", metavar="NAME", help="Counting: context on both sides, left or right.  [both]"),
    click.option("--weighting", metavar="NAME", help="Counting: harmonic, flat or dynamic, by distance."),
    click.option("--bounds", metavar="NAME", help="Counting: windows end with the sentence or document.  [sentence]"),
    click.option("--subsampling", metavar="NAME", help="Counting: words left out close up (dirty) or not (clean)."),
    click.option("--memory", metavar="SIZE", help="Counting: what it may take, such as 500M.  [4G]"),
]

_NEIGHBORS = [
    click.option("-k", type=int, default=10, show_default=True, metavar="N", help="How many words to list."),
    click.option("--min-count", type=int, metavar="N", help="Only words that occur at least N times."),
    click.option("--top", type=int, metavar="N", help="Only the N most frequent words."),
    click.option("--match", metavar="REGEX", help="Only words that the regular expression matches."),
    click.option(
        "--words",
        "word_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Only words listed in FILE, one a line.",
    ),
]


def encoding_options(function: Function) -> Function:
    """Adds the options that say how text becomes words; an option that was not given is None."""
    return _add(_ENCODING, function)


def counting_options(function: Function) -> Function:
    """Adds what says how pairs of words are counted, for GloVe, PPMI and by itself."""
    return _add(_COUNTING, function)


def neighbor_options(function: Function) -> Function:
    """Adds `-k` and the filters of queries, to be passed through `read_filters`."""
    return _add(_NEIGHBORS, function)


def output_options(*, required: bool) -> Callable[[Function], Function]:
    """Adds `-o/--output` and `--overwrite`."""
    options = [
        click.option(
            "-o", "--output", metavar="DIR", type=click.Path(path_type=Path), required=required, help="Folder to write."
        ),
        click.option("--overwrite", is_flag=True, help="Replace the folder where it exists."),
    ]
    return lambda function: _add(options, function)


def given(options: dict[str, Any]) -> dict[str, Any]:
    """The options that were given, so that what was not takes the library's own default."""
    return {name: value for name, value in options.items() if value is not None}


def read_filters(options: dict[str, Any]) -> dict[str, Any]:
    """`-k` and the filters as the Python functions take them: the file of words becomes a list of words."""
    options = given(options)
    path = options.pop("word_file", None)
    if path is not None:
        options["words"] = read_words(path)
    return options


def read_words(path: Path) -> list[str]:
    """The words of a file, one a line."""
    from wordgeo.errors import FormatError, NotFoundError

    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist; --words takes a file with one word a line") from None
    except UnicodeDecodeError as problem:
        raise FormatError(f"byte {problem.start} is not UTF-8; --words takes a text file", path) from None
    return [word for line in text.splitlines() if (word := line.strip())]


def _add(options: list[Callable[[Any], Any]], function: Function) -> Function:
    for option in reversed(options):
        function = option(function)
    return function
