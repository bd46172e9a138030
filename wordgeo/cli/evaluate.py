"""Benchmarks: how well models answer analogies and agree with people; and where benchmarks are had."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wordgeo.cli.licence import licence_accepted
from wordgeo.cli.models import load_each
from wordgeo.cli.options import given, skip_damaged_option
from wordgeo.cli.output import format_option, show, show_all, show_rows, write_text

if TYPE_CHECKING:
    from wordgeo.results import Result

__all__ = ["evaluate"]

METHODS = ["3cosadd", "3cosmul", "pairdirection", "3cosavg", "lrcos", "only-b", "ignore-a"]


@click.command("eval")
@click.argument("models", nargs=-1, metavar="MODEL...")
@click.option(
    "--suite",
    default="all",
    show_default=True,
    metavar="NAME",
    help="A name (--list shows them), a file or folder of one's own, all (google, wordsim353, simlex999), or present: "
    "all that are here.",
)
@click.option(
    "--method",
    type=click.Choice(METHODS),
    default="3cosadd",
    show_default=True,
    help="How analogies are answered.",
)
@click.option(
    "--protocol",
    default="gensim",
    show_default=True,
    metavar="NAME",
    help="Whose rules count: gensim, word2vec-c, glove, fasttext, vecmap, muse, web, vecto; or all, side by side.",
)
@click.option("--limit", type=int, metavar="N", help="Only the N most frequent words are known.  [the protocol's own]")
@click.option("--case-sensitive", is_flag=True, help="Do not fold case when words are looked up.")
@click.option(
    "--unknown",
    type=click.Choice(["skip", "wrong", "mean"]),
    help="Questions with unknown words.  [the protocol's own]",
)
@click.option(
    "--exclude",
    type=click.Choice(["string", "row", "none"]),
    help="What of the given words may not answer.  [the protocol's own]",
)
@click.option("--level", type=float, metavar="P", help="How often intervals should cover the truth.  [0.95]")
@click.option("--seed", type=int, default=1, show_default=True, help="Seed of the bootstrap and of LRCos.")
@click.option("--fetch", is_flag=True, help="Download the suite first, or all that can be; the licence is shown.")
@click.option("--yes", is_flag=True, help="With --fetch: you have read the licence and keep to it, do not ask.")
@click.option("--list", "listing", is_flag=True, help="List the suites that have a name, and which of them are here.")
@skip_damaged_option
@click.option("--records", is_flag=True, help="Put every question or pair with its answer into the JSON.")
@click.option(
    "--errors",
    is_flag=True,
    help="List the analogies missed (CSV: them alone); with --protocol all those that a rule moves.",
)
@click.option("--markdown", type=click.Path(path_type=Path), metavar="FILE", help="Write the tables there as well.")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with charts there as well.")
@click.option("--fail-under", type=float, metavar="X", help="Leave with exit code 3 if a score is below X.")
@format_option
def evaluate(
    models: tuple[str, ...],
    suite: str,
    protocol: str,
    errors: bool,
    markdown: Path | None,
    html: Path | None,
    fail_under: float | None,
    fetch: bool,
    yes: bool,
    listing: bool,
    skip_damaged: bool,
    style: str,
    **options: Any,
) -> None:
    """Score models on analogies, relations, similarities and categories.

    Accuracies and correlations with people's scores come with 95 % intervals. Of an ensemble, each model is scored, and
    the mean and deviation over its runs and the share of answers that flip between them follow. Two or more MODELs are
    also compared on the questions that both can be asked. JSON is {"results": [...]}, one result for each model and
    suite, and "comparisons" where models are compared; the score is null where no question is in the vocabulary, and
    that is below any --fail-under.

    \b
        wordgeo eval wiki --suite google
        wordgeo eval wiki --suite men --fetch
        wordgeo eval wiki --suite google --protocol all --html report.html
        wordgeo eval wiki news --suite my-questions.txt --fail-under 0.3
    """
    import wordgeo as wg
    from wordgeo.evaluation import AnalogySuite, CategorySuite, compare_models, compare_protocols, load_suite, suites
    from wordgeo.evaluation.documents import html_page
    from wordgeo.evaluation.documents import markdown as to_markdown

    if listing:
        show(suites(), style)
    if fetch:
        _fetch(suite, yes, paths=not models)
    if not models:
        if listing or fetch:
            return
        raise click.UsageError("Missing argument 'MODEL...'.")
    options = given(options)
    runs = [path for path in models if wg.Ensemble.is_one(path)]  # without any, --skip-damaged is refused below
    loaded = {path: load_each(path, skip_damaged=skip_damaged and (path in runs or not runs)) for path in models}
    ensembles = {path: {name for name, _ in loaded[path]} for path in runs}
    keep = options.pop("records")
    records = keep or errors or (bool(ensembles) and protocol != "all")
    every = {name: model for each in loaded.values() for name, model in each}
    names: list[str] = []
    results: list[Any] = []
    comparisons: list[Result] = []
    for one in map(load_suite, _names(suite)):
        for name, model in every.items():
            names.append(name)
            if protocol == "all" and isinstance(one, AnalogySuite):
                results.append(compare_protocols(model, one, records=records, **options))
            else:
                chosen = "gensim" if protocol == "all" else protocol
                results.append(wg.evaluate(model, one, protocol=chosen, records=records, progress=True, **options))
        if len(models) > 1 and len(every) > 1 and protocol != "all" and not isinstance(one, CategorySuite):
            comparisons.append(compare_models(every, one, protocol=protocol, **options))
    comparisons += _over_runs(ensembles, names, results)
    if not (keep or errors):
        results = [replace(each, records=None) if hasattr(each, "records") else each for each in results]
    if len(every) > 1:  # model by model, as they were named
        order = sorted(range(len(names)), key=lambda i: list(every).index(names[i]))
        names, results = [names[i] for i in order], [results[i] for i in order]
    if style == "json" and comparisons:
        found = {"results": [r.to_dict() for r in results], "comparisons": [c.to_dict() for c in comparisons]}
        click.echo(json.dumps(found, ensure_ascii=False, allow_nan=False, indent=2))
    elif style == "csv" and errors:
        missed = [(name, result.errors()) for name, result in zip(names, results, strict=True) if _has_errors(result)]
        show_rows([table for _, table in missed], [name for name, _ in missed], column="model")
    else:
        show_all([*results, *comparisons], [*names, *("comparison" for _ in comparisons)], style, column="model")
    if style == "table" and errors:
        for result in results:
            if _has_errors(result) and result.kind != "protocols":  # which has them among its tables
                click.echo("\n" + result.errors().to_text())
    documents: list[tuple[Path | None, Callable[..., str]]] = [(markdown, to_markdown), (html, html_page)]
    for path, write in documents:
        if path is not None:
            write_text(path, write([*results, *comparisons], [*names, *("comparison" for _ in comparisons)]))
    if fail_under is not None:
        _demand(fail_under, names, results)


def _names(suite: str) -> list[str]:
    """The suites meant by a name."""
    from wordgeo.evaluation import SUITES, suites

    if suite == "all":
        return list(SUITES)
    found = suites() if suite == "present" else None
    return [one.name for one, place in zip(found.suites, found.places, strict=True) if place] if found else [suite]


def _fetch(suite: str, yes: bool, *, paths: bool) -> None:
    """Downloads one suite, or all that can be; of several, those whose licence is not accepted are left out."""
    from wordgeo.evaluation import fetch_suite, find_suite, suites

    several = suite in ("all", "present")
    for recipe in [one for one in suites().suites if one.url] if several else [find_suite(suite)]:
        here = recipe.place() is not None
        accepted = here or licence_accepted(recipe, yes)
        if several and not accepted:
            continue
        path = fetch_suite(recipe, accept_licence=accepted, progress=True)
        if paths:
            click.echo(path)


def _over_runs(ensembles: dict[str, set[str]], names: Sequence[str], results: Sequence[Any]) -> list[Result]:
    """For each ensemble and benchmark, the score over its runs and how many answers flip."""
    from wordgeo.stability import scores_over_runs

    found: list[Result] = []
    for runs in ensembles.values():
        mine = [r for name, r in zip(names, results, strict=True) if name in runs]
        mine = [r for r in mine if r.kind in ("analogy", "similarity")]
        for suite in dict.fromkeys(r.suite for r in mine):
            of_suite = [r for r in mine if r.suite == suite and r.score is not None]
            if len(of_suite) > 1:
                found.append(scores_over_runs(of_suite))
    return found


def _has_errors(result: Any) -> bool:
    """Whether it is of a kind whose questions are answered right or wrong."""
    return result.kind in ("analogy", "choices", "protocols")


def _demand(least: float, names: Sequence[str], reports: Sequence[Any]) -> None:
    from wordgeo.errors import ThresholdError

    for name, report in zip(names, reports, strict=True):
        if report.score is None or report.score < least:
            score = "has no score" if report.score is None else f"scored {report.score:.4f}"
            raise ThresholdError(f"{name}: {report.suite} {score}, and --fail-under is {least:g}")
