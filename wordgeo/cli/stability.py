"""What several models agree on, and how far."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wordgeo.cli.options import given, read_words, skip_damaged_option
from wordgeo.cli.output import check_texts, format_option, joined, write_text

if TYPE_CHECKING:
    from wordgeo.results import Table
    from wordgeo.stability import Ensemble

__all__ = ["stability"]

logger = logging.getLogger(__name__)


@click.command()
@click.argument("models", nargs=-1, required=True, metavar="MODEL...")
@click.option("-k", type=int, default=10, show_default=True, metavar="N", help="How many neighbours are compared.")
@click.option(
    "--words", "word_file", type=click.Path(path_type=Path), metavar="FILE", help="Only words listed in FILE."
)
@click.option("--top", type=int, metavar="N", help="Only the N most frequent words.")
@click.option("--ranks", metavar="A:B", help="Only words from rank A to rank B of frequency.")
@click.option("--curve", metavar="K,K,...", help="Further numbers of neighbours at which overlap is measured.")
@click.option("--rbo-p", "p", type=float, metavar="X", help="Persistence of rank-biased overlap.  [0.9]")
@click.option("--spaces/--no-spaces", default=True, help="Distances of whole spaces as well.  [on]")
@skip_damaged_option
@click.option("--seed", type=int, metavar="N", help="Seed of the bootstrap over words.  [1]")
@click.option("--threads", type=int, metavar="N", help="Threads.  [the cores]")
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with charts there as well.")
@click.option(
    "--neighbors",
    metavar="WORD,WORD,...",
    help="As well: the neighbours of these words, and how far to trust them.",
)
@click.option("--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write the measures of every word there.")
@click.option("--fail-under", type=float, metavar="X", help="Leave with exit code 3 if the mean overlap is below X.")
@format_option
def stability(
    models: tuple[str, ...],
    word_file: Path | None,
    top: int | None,
    ranks: str | None,
    curve: str | None,
    skip_damaged: bool,
    html: Path | None,
    neighbors: str | None,
    csv: Path | None,
    fail_under: float | None,
    style: str,
    **options: Any,
) -> None:
    """Measure how far models agree on the neighbours of words.

    MODELs are runs of one training, as a rule: the folder of an ensemble, or two or more models of any source. Two or
    more ensembles are each measured, and their variation compared: what comes from seeds, what from samples. JSON is
    the report (with --neighbors these too); of several ensembles {"results": [...], "variation": {...}}.

    \b
        wordgeo stability novels.models --top 20000 --html stability.html
        wordgeo stability one.bin two.bin three.bin -k 5
        wordgeo stability seeds.models bootstraps.models
    """
    import wordgeo as wg
    from wordgeo.errors import OptionError, ThresholdError
    from wordgeo.stability.pages import stability_page
    from wordgeo.stability.sources import variation

    options = given(options)
    check_texts(html, csv)
    if top is not None and ranks is not None:
        raise OptionError("--top and --ranks both choose words; give one of them")
    if word_file is not None:
        options["words"] = read_words(word_file)
    if top is not None:
        options["ranks"] = (1, top)
    if ranks is not None:
        options["ranks"] = _numbers(ranks, ":", "--ranks", "two ranks, such as 1000:5000")
        if len(options["ranks"]) != 2:
            raise OptionError(f"--ranks is {ranks!r}; give two ranks, such as 1000:5000")
    if curve is not None:
        options["curve"] = _numbers(curve, ",", "--curve", "numbers, such as 20,50,100")
    groups: dict[str, Ensemble] = {}
    if len(models) > 1 and all(wg.Ensemble.is_one(path) for path in models):
        groups = {path: wg.Ensemble.open(path, skip_damaged=skip_damaged) for path in models}
    elif len(models) == 1 and wg.Ensemble.is_one(models[0]):
        groups = {models[0]: wg.Ensemble.open(models[0], skip_damaged=skip_damaged)}
    else:
        groups = {", ".join(models): wg.Ensemble.of(models, skip_damaged=skip_damaged)}
    asked = [word for word in (neighbors or "").split(",") if word]
    trusted = {name: each.similar_batch(asked, options["k"]) for name, each in groups.items()}
    reports = {name: wg.stability(each, progress=True, **options) for name, each in groups.items()}
    compared = variation(groups, k=options["k"]) if len(groups) > 1 else None
    if style == "json":
        found: list[dict[str, Any]] = [report.to_dict() for report in reports.values()]
        for of_report, of_words in zip(found, trusted.values(), strict=True):
            if of_words:
                of_report["neighbors"] = [each.to_dict() for each in of_words]
        whole = found[0] if compared is None else {"results": found, "variation": compared.to_dict()}
        click.echo(json.dumps(whole, ensure_ascii=False, allow_nan=False, indent=2))
    elif style == "csv":
        click.echo(_csv({name: report.tables()[0] for name, report in reports.items()}), nl=False)
        for difference in (difference for report in reports.values() for difference in report.differences):
            logger.warning("the models differ in %s", difference)
    else:
        results = [each for name, report in reports.items() for each in (report, *trusted[name])]
        results += [] if compared is None else [compared]
        click.echo("\n\n".join(table.to_text() for result in results for table in result.tables()))
    if csv is not None:
        write_text(csv, _csv({name: report.words.tables()[0] for name, report in reports.items()}))
    if html is not None:
        write_text(html, stability_page(reports, trusted, compared))
    for name, report in reports.items():
        if fail_under is not None and report.overlap.value < fail_under:
            raise ThresholdError(f"{name}: overlap is {report.overlap.value:.4f}, and --fail-under is {fail_under:g}")


def _csv(tables: dict[str, Table]) -> str:
    """The table of an ensemble, or those of several in one."""
    if len(tables) == 1:
        return next(iter(tables.values())).to_csv()
    return joined(list(tables.values()), list(tables), column="models").to_csv()


def _numbers(text: str, separator: str, name: str, wanted: str) -> tuple[int, ...]:
    from wordgeo.errors import OptionError

    try:
        return tuple(int(part) for part in text.split(separator))
    except ValueError:
        raise OptionError(f"{name} is {text!r}; give {wanted}") from None
