"""Questions to a model: neighbours, similarity, analogies, arithmetic, the odd one out."""

from __future__ import annotations

from typing import Any

import click

from wordgeo.cli.models import ask_any, ask_one
from wordgeo.cli.options import neighbor_options, read_filters, skip_damaged_option
from wordgeo.cli.output import format_option, show, show_all

__all__ = ["analogy", "odd", "query", "similar", "similarity"]


@click.command()
@click.argument("model")
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@click.option("--threshold", type=float, metavar="X", help="Only neighbours with at least this cosine.")
@click.option("--least", is_flag=True, help="The least similar words instead, the lowest cosine first.")
@click.option("--approximate", is_flag=True, help="Through an index that may miss neighbours (extra: ann).")
@skip_damaged_option
@neighbor_options
@format_option
def similar(
    model: str,
    words: tuple[str, ...],
    threshold: float | None,
    least: bool,
    approximate: bool,
    skip_damaged: bool,
    style: str,
    **options: Any,
) -> None:
    """List the nearest neighbours of each WORD.

    Neighbours are ordered by cosine. JSON is {"results": [...]}, one result for each word. Of an ensemble, each
    neighbour comes with the share of runs that have it among their k nearest, and the spread of cosine and rank.

    \b
        wordgeo similar wiki king queen -k 5
    """
    import wordgeo as wg
    from wordgeo.errors import OptionError

    filters = read_filters(options)
    vectors = ask_any(model, skip_damaged=skip_damaged)
    if isinstance(vectors, wg.Ensemble):
        if threshold is not None or least or approximate:
            raise OptionError(f"{model} is an ensemble, which takes no --threshold, --least or --approximate")
        show_all(vectors.similar_batch(list(words), **filters), words, style, column="query")
        return
    found = vectors.similar_batch(list(words), threshold=threshold, least=least, approximate=approximate, **filters)
    show_all(found, words, style, column="query")


@click.command()
@click.argument("model")
@click.argument("a")
@click.argument("b")
@format_option
def similarity(model: str, a: str, b: str, style: str) -> None:
    """Print the cosine of two words.

    \b
        wordgeo similarity wiki king queen
    """
    from wordgeo.cli.reports import Similarity

    show(Similarity((a, b), ask_one(model).similarity(a, b)), style)


@click.command()
@click.argument("model")
@click.argument("a")
@click.argument("b")
@click.argument("c")
@click.option(
    "--method",
    type=click.Choice(["3cosadd", "3cosmul", "pairdirection"]),
    default="3cosadd",
    show_default=True,
    help="What is maximised: cos(d, b - a + c), or the product or the direction of Levy & Goldberg (2014).",
)
@skip_damaged_option
@neighbor_options
@format_option
def analogy(model: str, a: str, b: str, c: str, method: str, skip_damaged: bool, style: str, **options: Any) -> None:
    """Answer 'A is to B as C is to ?'.

    The three words of the question are never answers. Of an ensemble, answers come with the share of runs that give
    them.

    \b
        wordgeo analogy wiki man king woman
    """
    filters = read_filters(options)
    show(ask_any(model, skip_damaged=skip_damaged).analogy(a, b, c, method=method, **filters), style)


@click.command()
@click.argument("model")
@click.argument("expression")
@neighbor_options
@format_option
def query(model: str, expression: str, style: str, **options: Any) -> None:
    """List the words nearest to a sum such as 'king - man + woman'.

    Plus and minus need spaces around them. Words may have weights (0.5*king), and several words in quotes
    are one word of the vocabulary: "new york" also tries new_york.

    \b
        wordgeo query wiki "king - man + woman" --top 50000
    """
    filters = read_filters(options)
    show(ask_one(model).query(expression, **filters), style)


@click.command()
@click.argument("model")
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@format_option
def odd(model: str, words: tuple[str, ...], style: str) -> None:
    """Find the word that does not belong to the others.

    \b
        wordgeo odd wiki breakfast cereal dinner car
    """
    show(ask_one(model).odd(list(words)), style)
