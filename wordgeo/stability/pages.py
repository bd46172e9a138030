"""Reports on stability and change as one HTML page each, which asks nothing of any other place."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from wordgeo.evaluation.documents import STYLE, bars
from wordgeo.results import Result, Table
from wordgeo.stability.alignment import Precision
from wordgeo.stability.charts import Dot, Point, heat_map, scatter, trust_table
from wordgeo.stability.compare import ChangeReport
from wordgeo.stability.report import StabilityReport
from wordgeo.stability.sources import VariationReport
from wordgeo.stability.trust import TrustedNeighbors

__all__ = ["change_page", "results_page", "stability_page"]

MOST_DOTS = 3000  # every word on the page would make it megabytes
OWN_STYLE = """
.row{display:flex;flex-wrap:wrap;gap:.5rem 2.5rem;align-items:flex-start}figure{margin:1rem 0}
figcaption{font-size:13px;color:#45505e;max-width:44rem}h2{margin-top:2rem;overflow-wrap:anywhere}
.verdict{font-size:17px;border-left:4px solid #2f6db3;padding-left:1rem;margin:1rem 0;color:#1c2430;max-width:56rem}
.warning{border-left:4px solid #c0392b;padding-left:1rem;margin:.5rem 0;color:#8c2318}
.unsure td{color:#76818e}.sure td{color:#1c2430}td svg{vertical-align:middle}ol{font-size:13px;color:#45505e}"""


def stability_page(
    reports: Mapping[str, StabilityReport],
    trusted: Mapping[str, Sequence[TrustedNeighbors]],
    variation: VariationReport | None = None,
) -> str:
    """Of each report the verdict, charts, the neighbours of chosen words, and tables; then ensembles side by side."""
    parts = []
    for name, report in reports.items():
        parts.append(f"<h2>{html.escape(name)}</h2>{_verdict(report.verdict)}")
        parts += [_warning(f"The models differ in {difference}.") for difference in report.differences]
        parts += [_warning(f"Left out: {left}") for left in report.skipped]
        parts.append(figure(_against_frequency(report), _FREQUENCY.format(by=report.by)))
        drawings = [figure(_against_k(report), "Mean overlap against the number of neighbours that are compared.")]
        if len(report.pairs) > 1:
            values = [value for _, _, value in report.pairs]
            said = f"Mean overlap of each pair of models: {min(values):.3f} to {max(values):.3f}."
            drawings.append(figure(heat_map(report.models, report.pairs), said))
        parts.append(f'<div class="row">{"".join(drawings)}</div>')
        if trusted.get(name):
            parts.append("<h3>Neighbours, and how far they can be trusted</h3>")
            parts.append(f'<div class="row">{"".join(trust_table(found) for found in trusted[name])}</div>')
            parts.append(f"<p>{html.escape(_TRUST.format(k=trusted[name][0].k))}</p>")
        parts += _tables(report)
        parts.append(
            f"<h3>The models</h3><ol>{''.join(f'<li>{html.escape(model)}</li>' for model in report.models)}</ol>"
        )
    if variation is not None:
        parts += [f"<h2>Where variation comes from</h2>{table.to_html()}" for table in variation.tables()]
    return page("Stability", "".join(parts))


_FREQUENCY = (
    "Overlap of each word's neighbours against its {by}, a dot a word. The line has the mean of each band, and its "
    "interval over words."
)
_TRUST = (
    "Share of runs that have the word among their {k} nearest, with its 95 % Wilson interval; cosine with its standard "
    "deviation, and median rank (least to greatest) over runs. Trusted: the interval lies above one half."
)


def change_page(report: ChangeReport) -> str:
    """The verdict, a chart of change against frequency, and the tables, with every word that changed."""
    words = report.words
    numbers = np.arange(1, len(words.words) + 1) if words.counts is None else words.counts
    called = np.isin(words.words, report.changed)
    chosen = [*_sample(len(words.words)), *np.flatnonzero(called).tolist()]
    dots = [
        Dot(float(numbers[i]), float(words.cosine[i]), words.words[i], bool(called[i])) for i in dict.fromkeys(chosen)
    ]
    dots.sort(key=lambda dot: -dot.y)
    top = max(0.5, float(np.ceil(2 * np.nanmax(words.cosine)) / 2))
    by = "rank" if words.counts is None else "count (the lesser of the two)"
    said = "Change of each word against its frequency, a dot a word."
    said += " Those called changed are red." if report.changed else ""
    parts = [_verdict(report.verdict)]
    parts.append(figure(scatter(dots, by, "1 - cosine after alignment", y_range=(0.0, top)), said))
    if words.cosine_p is not None:
        counts, edges = np.histogram(words.cosine_p, bins=20, range=(0, 1))
        shares = [
            (f"{a:.2f} to {b:.2f}", float(count) / len(words.words), None, None)
            for a, b, count in zip(edges[:-1], edges[1:], counts.tolist(), strict=True)
        ]
        parts.append(figure(bars(shares, "raw p"), "Raw p of the cosine change: flat where nothing changed."))
    parts += _tables(report)
    return page(f"{report.first} → {report.second}", "".join(parts))


def results_page(title: str, results: Sequence[Result]) -> str:
    """The tables of some results, and a chart of those on translation."""
    parts = []
    for result in results:
        if isinstance(result, Precision):
            rows = zip(result.k, result.precision, result.low, result.high, strict=True)
            shares = [
                (f"among the {k} nearest" if k > 1 else "the nearest", share, low, high) for k, share, low, high in rows
            ]
            said = (
                f"Share of {result.asked} words whose translation is found by {result.method}, with its 95 % interval."
            )
            parts.append(figure(bars(shares, "precision of translation"), said))
        parts += _tables(result)
    return page(title, "".join(parts))


def page(title: str, body: str) -> str:
    """A whole document; `body` is HTML already."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}{OWN_STYLE}</style></head><body><h1>{html.escape(title)}</h1>{body}</body></html>\n"
    )


def figure(drawing: str, caption: str) -> str:
    """A drawing with what it shows below it."""
    return f"<figure>{drawing}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _verdict(text: str) -> str:
    return f'<p class="verdict">{html.escape(text)}</p>'


def _warning(text: str) -> str:
    return f'<p class="warning">{html.escape(text)}</p>'


def _tables(report: Result) -> list[str]:
    """All tables; the verdict stands on the page already."""
    return [_without_verdict(table).to_html() for table in report.tables()]


def _without_verdict(table: Table) -> Table:
    return dataclasses.replace(table, notes=[note for note in table.notes if not note.startswith("Verdict:")])


def _sample(words: int) -> list[int]:
    """Places of words for a chart: as many as a page bears, and by no chance."""
    found: npt.NDArray[np.int64] = np.unique(np.linspace(0, words - 1, min(MOST_DOTS, words)).astype(np.int64))
    return found.tolist()


def _against_frequency(report: StabilityReport) -> str:
    words = report.words
    numbers = np.asarray(words.ranks if words.counts is None else words.counts).astype(np.float64)
    dots = [
        Dot(float(numbers[i]), float(words.overlap[i]), f"{words.words[i]}: {words.overlap[i]:.2f}")
        for i in _sample(len(words.words))
    ]
    of_band = np.array(words.band)
    line = [
        Point(float(np.median(numbers[of_band == band.name])), band.overlap.value, band.overlap.word_low,
              band.overlap.word_high)
        for band in report.bands
    ]  # fmt: skip
    return scatter(dots, report.by, f"overlap of {report.k} neighbours", line=line)


def _against_k(report: StabilityReport) -> str:
    line = [Point(point.k, point.overlap) for point in report.curve]
    return scatter([], "neighbours", "overlap", line=line)
