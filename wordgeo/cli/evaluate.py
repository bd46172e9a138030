"""Benchmarks: how well models answer analogies and agree with people about similarity."""

from __future__ import annotations

import click

from wordgeo.cli.output import format_option, show_all

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
@click.option("--fail-under", type=float, metavar="X", help="Leave with exit code 3 if a score is below X.")
@format_option
def evaluate(
    models: tuple[str, ...], suite: str, method: str, protocol: str, fail_under: float | None, style: str
) -> None:
    """Score models on analogy and similarity benchmarks, with intervals.

    Accuracy of analogies comes with a 95 % interval over word pairs, correlation with people with one over the pairs
    scored. JSON is {"results": [...]}, one result for each model and suite.

    \b
        wordgeo eval wiki --suite google
        wordgeo eval wiki --suite my-questions.txt --fail-under 0.3
    """
    import wordgeo as wg
    from wordgeo.errors import ThresholdError
    from wordgeo.evaluation import SUITES

    suites = list(SUITES) if suite == "all" else [suite]
    names, reports = [], []
    for name in models:
        model = wg.load(name)
        for one in suites:
            names.append(name)
            reports.append(wg.evaluate(model, one, method=method, protocol=protocol))
    show_all(reports, names, style, column="model")
    if fail_under is not None:
        missed = [(name, r) for name, r in zip(names, reports, strict=True) if not r.score >= fail_under]
        if missed:
            name, report = missed[0]
            raise ThresholdError(f"{name}: {report.suite} scored {report.score:.4f}, below {fail_under:g}")
