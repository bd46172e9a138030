"""Benchmarks: how well models answer analogies and agree with people about similarity."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from wordgeo.cli.models import load_each
from wordgeo.cli.options import given
from wordgeo.cli.output import format_option, show_all

if TYPE_CHECKING:
    from wordgeo.evaluation import AnalogyReport, SimilarityReport

__all__ = ["evaluate"]


@click.command("eval")
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option(
    "--suite",
    default="all",
    show_default=True,
    metavar="NAME",
    help="google, wordsim353, simlex999, all of these, or a file of questions or of scored pairs.",
)
@click.option(
    "--method",
    type=click.Choice(["3cosadd", "3cosmul"]),
    default="3cosadd",
    show_default=True,
    help="How analogies are answered.",
)
@click.option(
    "--protocol",
    default="gensim",
    show_default=True,
    metavar="NAME",
    help="Whose rules count: folding, vocabulary, what is skipped.",
)
@click.option("--limit", type=int, metavar="N", help="Only the N most frequent words are known.  [the protocol's own]")
@click.option("--case-sensitive", is_flag=True, help="Do not fold case when words are looked up.")
@click.option(
    "--unknown", type=click.Choice(["skip", "wrong"]), help="Questions with unknown words.  [the protocol's own]"
)
@click.option("--records", is_flag=True, help="Put every question or pair with its answer into the JSON.")
@click.option("--fail-under", type=float, metavar="X", help="Leave with exit code 3 if a score is below X.")
@format_option
def evaluate(models: tuple[str, ...], suite: str, fail_under: float | None, style: str, **options: Any) -> None:
    """Score models on analogy and similarity benchmarks, with intervals.

    Accuracy of analogies and correlation with people's scores come with 95 % intervals. Of an ensemble, each model is
    scored. JSON is {"results": [...]}, one result for each model and suite; the score is null where no question is in
    the vocabulary, and that is below any --fail-under.

    \b
        wordgeo eval wiki --suite google
        wordgeo eval wiki --suite my-questions.txt --fail-under 0.3
    """
    import wordgeo as wg
    from wordgeo.evaluation import SUITES

    suites = list(SUITES) if suite == "all" else [suite]
    names, reports = [], []
    for path in models:
        for name, model in load_each(path):
            for one in suites:
                names.append(name)
                reports.append(wg.evaluate(model, one, progress=True, **given(options)))
    show_all(reports, names, style, column="model")
    if fail_under is not None:
        _demand(fail_under, names, reports)


def _demand(least: float, names: Sequence[str], reports: Sequence[AnalogyReport | SimilarityReport]) -> None:
    from wordgeo.errors import ThresholdError

    for name, report in zip(names, reports, strict=True):
        if report.score is None or report.score < least:
            score = "has no score" if report.score is None else f"scored {report.score:.4f}"
            raise ThresholdError(f"{name}: {report.suite} {score}, and --fail-under is {least:g}")
