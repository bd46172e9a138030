"""What changed from one space to another, and how one language's words are found in another's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wordgeo.cli.models import load_one
from wordgeo.cli.options import given
from wordgeo.cli.output import check_texts, format_option, show, write_text

if TYPE_CHECKING:
    from wordgeo.results import Result

__all__ = ["compare"]


@click.command()
@click.argument("a")
@click.argument("b")
@click.option(
    "--corpora",
    nargs=2,
    metavar="A B",
    type=click.Path(path_type=Path),
    help="The encoded corpora of both, for a null: change is held against random re-splits of their documents.",
)
@click.option(
    "--resplits", type=int, default=20, show_default=True, metavar="N", help="How many re-splits are trained."
)
@click.option(
    "--workers", type=int, default=1, show_default=True, metavar="N", help="Train N models of them at a time."
)
@click.option(
    "--backend", default="processes", show_default=True, metavar="NAME", help="processes, or ray (extra: ray)."
)
@click.option("--neighbors", type=int, metavar="N", help="Neighbours that are compared.  [50]")
@click.option("--anchors", type=click.Choice(["all", "frequent"]), help="Words that the alignment rests on.  [all]")
@click.option("--center/--no-center", default=None, help="Take the mean from each space before the alignment.  [on]")
@click.option(
    "--measure", type=click.Choice(["cosine", "overlap"]), help="By which change words are called changed.  [cosine]"
)
@click.option("--min-count", type=int, metavar="N", help="Only words that both have at least N times.")
@click.option(
    "--alpha", type=float, metavar="X", help="False discovery rate at which a word is called changed.  [0.05]"
)
@click.option(
    "--dictionary",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Two languages: align by these pairs of words, two a line.",
)
@click.option("--test", type=click.Path(path_type=Path), metavar="FILE", help="Two languages: pairs to translate.")
@click.option("--refine", type=int, default=0, metavar="N", help="Two languages: rounds with pairs found by CSLS.")
@click.option(
    "--method", type=click.Choice(["csls", "cosine"]), default="csls", help="How translations are found.  [csls]"
)
@click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page with charts there as well.")
@click.option("--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write the change of every word there.")
@format_option
def compare(
    a: str,
    b: str,
    corpora: tuple[Path, Path] | None,
    resplits: int,
    workers: int,
    backend: str,
    dictionary: Path | None,
    test: Path | None,
    refine: int,
    method: str,
    html: Path | None,
    csv: Path | None,
    style: str,
    **options: Any,
) -> None:
    """Find the words that changed from model A to model B, beyond chance.

    For time slices or two corpora: each word's change after alignment and by its neighbours, with effect, p and q
    against re-splits of the documents (--corpora). Of finished models alone no word can be called changed; ensembles
    then show the variation between runs beside. With --dictionary A and B are two languages: precision of translation
    with intervals, and how far the spaces have the same shape.

    \b
        wordgeo compare 1850.model 1920.model --corpora 1850.corpus 1920.corpus --html change.html
        wordgeo compare 1850.models 1920.models
        wordgeo compare english.vec french.vec --dictionary train.txt --test test.txt
    """
    import wordgeo as wg
    from wordgeo.errors import OptionError
    from wordgeo.stability.pages import change_page, results_page

    options = given(options)
    check_texts(html, csv)
    if dictionary is not None:
        if corpora is not None or csv is not None or set(options) - {"center"}:
            raise OptionError("--dictionary compares two languages, and takes --test, --refine, --method and --center")
        found = _languages(a, b, dictionary, test, refine, method, options)
        if style == "json":
            click.echo(json.dumps({name: one.to_dict() for name, one in found.items()}, allow_nan=False, indent=2))
        elif style == "csv":
            click.echo(found["precision" if test else "isometry"].tables()[0].to_csv(), nl=False)
        else:
            click.echo("\n\n".join(table.to_text() for one in found.values() for table in one.tables()))
        if html is not None:
            write_text(html, results_page(f"{a} and {b}", list(found.values())))
        return
    if test is not None or refine:
        raise OptionError("--test and --refine are for two languages; give --dictionary too")
    report = wg.compare(
        a, b, corpora=corpora, resplits=resplits, workers=workers, backend=backend, progress=True, **options
    )  # fmt: skip
    show(report, style)
    if csv is not None:
        write_text(csv, report.words.tables()[0].to_csv())
    if html is not None:
        write_text(html, change_page(report))


def _languages(
    a: str, b: str, dictionary: Path, test: Path | None, refine: int, method: str, options: dict[str, Any]
) -> dict[str, Result]:
    import wordgeo as wg
    from wordgeo.stability import isometry, read_dictionary

    pairs = read_dictionary(dictionary)
    found = wg.align(load_one(a), load_one(b), anchors=pairs, refine=refine, **options)
    results: dict[str, Result] = {"alignment": found}
    if test is not None:
        results["precision"] = found.precision(read_dictionary(test), method=method)
    rows = [space.vocabulary.find(words) for space, words in zip(
        (found.source, found.target), zip(*pairs, strict=True), strict=True)]  # fmt: skip
    both = (rows[0] >= 0) & (rows[1] >= 0)
    results["isometry"] = isometry(found, rows[0][both], rows[1][both])
    return results
