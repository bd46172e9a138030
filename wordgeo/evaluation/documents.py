"""Reports as documents: Markdown, and one HTML page with charts that asks nothing of any other place."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import Any

from wordgeo.evaluation.analogy_report import AnalogyReport
from wordgeo.evaluation.categories import CategoryReport
from wordgeo.evaluation.choices import ChoiceReport
from wordgeo.evaluation.compare import ComparisonReport
from wordgeo.evaluation.protocol_report import ProtocolReport
from wordgeo.evaluation.relations import RelationReport
from wordgeo.evaluation.similarity_report import SimilarityReport
from wordgeo.results import Result, Table

__all__ = ["bars", "html_page", "markdown"]

WIDTH, LABELS, ROW = 900, 320, 22
STYLE = """body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1c2430}
table{border-collapse:collapse;margin:1rem 0;font-size:13px;display:block;overflow-x:auto}
caption{text-align:left;font-weight:600;padding:.3rem 0}th,td{padding:.2rem .5rem;border-bottom:1px solid #dde2e8}
td{font-variant-numeric:tabular-nums}th{text-align:left;background:#f3f5f8}svg{max-width:100%;height:auto}
p{margin:.2rem 0;color:#45505e}svg text{font:12px system-ui,sans-serif;fill:#1c2430}"""

Bar = tuple[str, float | None, float | None, float | None]


def markdown(results: Sequence[Result], names: Sequence[str]) -> str:
    """All tables of the results in GitHub's Markdown, under a heading for each of `names`."""
    parts = ["# Evaluation"]
    for name, result in zip(names, results, strict=True):
        parts.append(f"## {_plain(name)}")
        parts += [_markdown(table) for table in result.tables()]
    return "\n\n".join(parts) + "\n"


def _markdown(table: Table) -> str:
    lines = [f"**{_plain(table.title)}**", ""] if table.title else []
    lines += ["| " + " | ".join(table.columns) + " |", "|" + " --- |" * len(table.columns)]
    lines += ["| " + " | ".join(_plain(_text(value)) for value in row) + " |" for row in table.rows]
    lines += [""] if table.notes else []
    return "\n".join([*lines, *(f"- {_plain(note)}" for note in table.notes)])


def _plain(text: str) -> str:
    """Text that Markdown leaves as it is."""
    for special in "\\`*_<>|[]":
        text = text.replace(special, "\\" + special)
    return text.replace("\n", " ")


def html_page(results: Sequence[Result], names: Sequence[str]) -> str:
    """A page with a chart and the tables of each result; no script, and no address of anything."""
    parts = []
    for name, result in zip(names, results, strict=True):
        parts.append(f"<h2>{html.escape(name)}</h2>")
        title, drawn = _bars_of(result)
        if drawn:
            parts.append(f"<figure>{bars(drawn, title)}<figcaption>{html.escape(title)}</figcaption></figure>")
        parts += [table.to_html() for table in result.tables()]
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Evaluation</title>'
        f"<style>{STYLE}</style></head><body><h1>Evaluation</h1>{''.join(parts)}</body></html>\n"
    )


def _bars_of(result: Result) -> tuple[str, list[Bar]]:
    """What a chart of the result says, and its bars: label, value, ends of the interval."""
    if isinstance(result, AnalogyReport):
        rows = [*result.sections, *result.groups, result.total]
        title = f"{result.suite}: accuracy of questions in the vocabulary, with intervals over word pairs"
        return title, [(row.name, row.accuracy, row.pair_low, row.pair_high) for row in rows]
    if isinstance(result, SimilarityReport):
        parts = {"Spearman": result.spearman, "Pearson": result.pearson}
        title = f"{result.suite}: correlation with people's scores, with bootstrap intervals"
        return title, [(name, found.value, found.low, found.high) for name, found in parts.items()]
    if isinstance(result, RelationReport):
        drawn = [(row.name, row.spearman, row.low, row.high) for row in result.relations]
        drawn += [(mean.name, mean.spearman, mean.low, mean.high) for mean in (*result.groups, result.total)]
        return f"{result.suite}: Spearman's coefficient, with bootstrap intervals", drawn
    if isinstance(result, ChoiceReport):
        title = f"{result.suite}: accuracy of questions in the vocabulary, with Wilson's interval, and chance"
        own = (result.method, result.accuracy, result.low, result.high)
        return title, [own, ("chance", result.chance, None, None)]
    if isinstance(result, CategoryReport):
        title = f"{result.suite}: purity, with its range over starts, and chance"
        return title, [(result.method, result.purity, result.low, result.high), ("chance", result.chance, None, None)]
    if isinstance(result, ProtocolReport):
        title = f"{result.suite}: accuracy of questions in the vocabulary, by protocol"
        parts_of = [(r.protocol.name, r.total) for r in result.reports]
        return title, [(name, total.accuracy, total.pair_low, total.pair_high) for name, total in parts_of]
    if isinstance(result, ComparisonReport):
        title = f"{result.suite}: difference of scores, second minus first"
        return title, [(f"{c.second} - {c.first}", c.difference, c.low, c.high) for c in result.comparisons]
    return "", []


def bars(rows: Sequence[Bar], title: str) -> str:
    """An SVG of horizontal bars with whiskers, on an axis that holds 0 and every interval."""
    numbers = [x for _, *values in rows for x in values if x is not None and math.isfinite(x)]
    low, high = min([0.0, *numbers]), max([0.1, *numbers])
    low, high = math.floor(low * 10) / 10, math.ceil(high * 10) / 10
    height = ROW * len(rows) + 30

    def at(x: float) -> float:
        return LABELS + (x - low) / (high - low) * (WIDTH - LABELS - 70)

    parts = []
    step = 0.1 if high - low <= 1.2 else 0.2
    for i in range(round((high - low) / step) + 1):
        x = low + i * step
        parts.append(f'<path d="M{at(x):.1f} 5V{height - 22}" stroke="#dde2e8"/>')
        parts.append(f'<text x="{at(x):.1f}" y="{height - 6}" text-anchor="middle">{x:.1f}</text>')
    for i, (label, value, begin, end) in enumerate(rows):
        y = 8 + i * ROW
        shown = label if len(label) <= 46 else label[:45] + "…"
        parts.append(f'<text x="{LABELS - 8}" y="{y + 12}" text-anchor="end">{html.escape(shown)}</text>')
        if value is None:
            parts.append(f'<text x="{at(0) + 6:.1f}" y="{y + 12}">no questions</text>')
            continue
        left, width = min(at(0), at(value)), abs(at(value) - at(0))
        parts.append(f'<rect x="{left:.1f}" y="{y + 2}" width="{width:.1f}" height="12" fill="#7aa6d8"/>')
        if begin is not None and end is not None:
            middle = y + 8
            parts.append(
                f'<path d="M{at(begin):.1f} {middle}H{at(end):.1f}M{at(begin):.1f} {y + 3}v10M{at(end):.1f} {y + 3}v10"'
                ' stroke="#1c2430" stroke-width="1.5"/>'
            )
        edge = max(at(value), at(0 if end is None else end)) + 6
        parts.append(f'<text x="{edge:.1f}" y="{y + 12}">{value:.3f}</text>')
    return (
        f'<svg viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img" '
        f'aria-label="{html.escape(title, quote=True)}">{"".join(parts)}</svg>'
    )


def _text(value: Any) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value)
