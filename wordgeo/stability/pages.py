"""Reports on stability and change as one HTML page each, which asks nothing of any other place."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

import numpy as np

from wordgeo.evaluation.documents import STYLE
from wordgeo.evaluation.documents import bars as histogram
from wordgeo.results import Result, Table
from wordgeo.stability.compare import ChangeReport
from wordgeo.stability.report import StabilityReport
from wordgeo.stability.sources import VariationReport
from wordgeo.stability.trust import TrustedNeighbors

__all__ = ["change_page", "results_page", "stability_page"]

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 320, 60, 40
MOST_DOTS = 3000
CELL = 34

Dot = tuple[float, float, str]


def stability_page(
    reports: Mapping[str, StabilityReport],
    trusted: Mapping[str, Sequence[TrustedNeighbors]],
    variation: VariationReport | None = None,
) -> str:
    """Of each report the verdict, charts, the neighbours of chosen words, and tables; then ensembles side by side."""
    parts = []
    for name, report in reports.items():
        parts.append(f"<h2>{html.escape(name)}</h2><p><strong>{html.escape(report.verdict)}</strong></p>")
        parts.append(figure(_against_frequency(report), "Overlap of each word's neighbours against its frequency"))
        if len(report.pairs) > 1:
            parts.append(figure(_heat_map(report), "Mean overlap of each pair of models"))
        if trusted.get(name):
            parts.append("<h3>Neighbours, and how far they can be trusted</h3>")
            parts += [_trusted(found) for found in trusted[name]]
        parts += [table.to_html() for table in report.tables()]
    if variation is not None:
        parts += [f"<h2>Where variation comes from</h2>{table.to_html()}" for table in variation.tables()]
    return page("Stability", "".join(parts))


def change_page(report: ChangeReport) -> str:
    """The verdict, a chart of change against frequency, and the tables, with every word that changed."""
    words = report.words
    numbers = np.arange(1, len(words.words) + 1) if words.counts is None else words.counts
    chosen = np.unique(np.linspace(0, len(words.words) - 1, min(MOST_DOTS, len(words.words))).astype(np.int64))
    dots = [(float(numbers[i]), float(words.cosine[i]), words.words[i]) for i in chosen.tolist()]
    top = max(0.1, float(np.nanmax(words.cosine)))
    by = "rank" if words.counts is None else "count (the lesser of the two)"
    parts = [f"<p><strong>{html.escape(report.verdict)}</strong></p>"]
    drawing = scatter(dots, by, "1 - cosine after alignment", log_x=True, y_range=(0.0, top))
    parts.append(figure(drawing, "Change of each word against its frequency"))
    if words.cosine_p is not None:
        counts, edges = np.histogram(words.cosine_p, bins=20, range=(0, 1))
        bars = [
            (f"{a:.2f} to {b:.2f}", float(count) / len(words.words), None, None)
            for a, b, count in zip(edges[:-1], edges[1:], counts.tolist(), strict=True)
        ]
        parts.append(figure(histogram(bars, "raw p"), "Raw p of the cosine change: flat where nothing changed"))
    parts += [table.to_html() for table in report.tables()]
    return page(f"{report.first} → {report.second}", "".join(parts))


def results_page(title: str, results: Sequence[Result]) -> str:
    """The tables of some results."""
    return page(title, "".join(table.to_html() for result in results for table in result.tables()))


def page(title: str, body: str) -> str:
    """A whole document; `body` is HTML already."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1>{body}</body></html>\n"
    )


def figure(drawing: str, caption: str) -> str:
    """A drawing with what it shows below it."""
    return f"<figure>{drawing}<figcaption>{html.escape(caption)}</figcaption></figure>"


def scatter(
    dots: Sequence[Dot], x_name: str, y_name: str, *, log_x: bool = False, y_range: tuple[float, float] = (0.0, 1.0)
) -> str:
    """An SVG of dots (x, y, and the text that appears over one), on axes with their names."""
    xs = np.array([max(x, 1.0) if log_x else x for x, _, _ in dots] or [1.0])
    places = np.log10(xs) if log_x else xs
    low, high = float(places.min()), float(places.max())
    high = high if high > low else low + 1
    bottom, top = y_range

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (x - low) / (high - low) * (WIDTH - LEFT - 15)
        return across, HEIGHT - BOTTOM - (y - bottom) / (top - bottom) * (HEIGHT - BOTTOM - 15)

    parts = []
    for i in range(6):
        y = bottom + (top - bottom) * i / 5
        _, height = at(low, y)
        parts.append(f'<path d="M{LEFT} {height:.1f}H{WIDTH - 15}" stroke="#dde2e8"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{height + 4:.1f}" text-anchor="end">{y:.2g}</text>')
        x = low + (high - low) * i / 5
        across, _ = at(x, bottom)
        parts.append(
            f'<text x="{across:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{10**x if log_x else x:.3g}</text>'
        )
    for (_, y, text), x in zip(dots, places.tolist(), strict=False):
        across, height = at(x, min(max(y, bottom), top))
        parts.append(
            f'<circle cx="{across:.1f}" cy="{height:.1f}" r="2.5" fill="#2f6db3" fill-opacity="0.35">'
            f"<title>{html.escape(text)}</title></circle>"
        )
    parts.append(f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(x_name)}</text>')
    parts.append(
        f'<text transform="translate(14 {HEIGHT / 2}) rotate(-90)" text-anchor="middle">{html.escape(y_name)}</text>'
    )
    return _svg(WIDTH, HEIGHT, f"{y_name} against {x_name}", parts)


def _against_frequency(report: StabilityReport) -> str:
    words = report.words
    numbers = words.ranks if words.counts is None else words.counts
    # Every word on the page would make it megabytes: a sample that does not depend on chance.
    chosen = np.unique(np.linspace(0, len(words.words) - 1, min(MOST_DOTS, len(words.words))).astype(np.int64))
    dots = [
        (float(numbers[i]), float(words.overlap[i]), f"{words.words[i]}: {words.overlap[i]:.2f}")
        for i in chosen.tolist()
    ]
    return scatter(dots, report.by, f"overlap of {report.k} neighbours", log_x=True)


def _heat_map(report: StabilityReport) -> str:
    models = len(report.models)
    size = CELL if models <= 20 else 12
    values = [value for _, _, value in report.pairs]
    low, high = min(values), max(values)
    parts = []
    for i, name in enumerate(report.models):
        middle = 24 + i * size + size / 2
        parts.append(
            f'<text x="20" y="{middle + 4:.0f}" text-anchor="end">{i + 1}<title>{html.escape(name)}</title></text>'
        )
        parts.append(f'<text x="{middle:.0f}" y="16" text-anchor="middle">{i + 1}</text>')
    for a, b, value in report.pairs:
        light = 92 - 50 * ((value - low) / (high - low) if high > low else 0.5)
        for row, column in ((a, b), (b, a)):
            x, y = 24 + column * size, 24 + row * size
            parts.append(
                f'<rect x="{x}" y="{y}" width="{size - 1}" height="{size - 1}" fill="hsl(210 55% {light:.0f}%)">'
                f"<title>{a + 1} and {b + 1}: {value:.4f}</title></rect>"
            )
            if size == CELL:
                parts.append(f'<text x="{x + size / 2}" y="{y + 21}" text-anchor="middle">{value:.2f}</text>')
    side = 30 + models * size
    return _svg(side, side, "mean overlap of each pair of models", parts)


def _trusted(found: TrustedNeighbors) -> str:
    in_most = found.low > 0.5  # Wilson's interval leaves no doubt that most runs have it
    rows = [
        (*row, "trusted" if sure else "not trusted") for row, sure in zip(found.tables()[0].rows, in_most, strict=True)
    ]
    table = found.tables()[0]
    note = "trusted: the interval of the share lies above one half."
    return Table((*table.columns, "verdict"), rows, table.title, [*table.notes, note]).to_html()


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{html.escape(label, quote=True)}">{"".join(parts)}</svg>'
    )
