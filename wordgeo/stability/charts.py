"""Drawings of the pages on stability and change, as SVG without scripts."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from wordgeo.stability.trust import TrustedNeighbors

__all__ = ["Dot", "Point", "heat_map", "scatter", "trust_table"]

WIDTH, HEIGHT, LEFT, RIGHT, BOTTOM, TOP = 720, 340, 60, 20, 44, 15
CELL, SMALL_CELL = 40, 12
LEAST_SPAN = 0.2  # of the colours of a heat map: smaller differences shall not look like large ones
MOST_LABELS, LABEL_WIDTH, LABEL_HEIGHT = 40, 70, 13
BAR = 110


@dataclass(frozen=True)
class Dot:
    """A dot of a scatter plot; `text` appears over it, and beside it where it is marked."""

    x: float
    y: float
    text: str
    marked: bool = False


@dataclass(frozen=True)
class Point:
    """A point of a line, with the ends of its interval where it has one."""

    x: float
    y: float
    low: float | None = None
    high: float | None = None


def scatter(
    dots: Sequence[Dot],
    x_name: str,
    y_name: str,
    *,
    line: Sequence[Point] = (),
    y_range: tuple[float, float] = (0.0, 1.0),
) -> str:
    """Dots, and a line with its intervals over them, on a logarithmic x axis."""
    xs = [max(x, 1.0) for x in (*(dot.x for dot in dots), *(point.x for point in line))] or [1.0]
    low, high = float(np.log10(min(xs))), float(np.log10(max(xs)))
    high = high if high > low else low + 1
    bottom, top = y_range

    def across(x: float) -> float:
        return LEFT + (float(np.log10(max(x, 1.0))) - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def height(y: float) -> float:
        share = (min(max(y, bottom), top) - bottom) / (top - bottom)
        return HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)

    parts = []
    for y in np.linspace(bottom, top, 6).tolist():
        parts.append(f'<path d="M{LEFT} {height(y):.1f}H{WIDTH - RIGHT}" stroke="#dde2e8"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{height(y) + 4:.1f}" text-anchor="end">{y:.2g}</text>')
    ticks = [step * 10**power for power in range(19) for step in (1, 3)]
    for tick in (tick for tick in ticks if 10 ** (low - 1e-9) <= tick <= 10 ** (high + 1e-9)):
        parts.append(f'<path d="M{across(tick):.1f} {HEIGHT - BOTTOM}v5" stroke="#8a94a0"/>')
        parts.append(f'<text x="{across(tick):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{tick:,}</text>')
    for dot in sorted(dots, key=lambda dot: dot.marked):
        style = (
            'r="3.5" fill="#c0392b" fill-opacity="0.85"' if dot.marked else 'r="2.2" fill="#2f6db3" fill-opacity="0.25"'
        )
        parts.append(
            f'<circle cx="{across(dot.x):.1f}" cy="{height(dot.y):.1f}" {style}>'
            f"<title>{html.escape(dot.text)}</title></circle>"
        )
    parts += _labels([(across(dot.x), height(dot.y), dot.text) for dot in dots if dot.marked])
    if line:
        path = "L".join(f"{across(point.x):.1f} {height(point.y):.1f}" for point in line)
        parts.append(f'<path d="M{path}" fill="none" stroke="#14345c" stroke-width="2"/>')
    for point in line:
        x = across(point.x)
        if point.low is not None and point.high is not None:
            ends = f"M{x:.1f} {height(point.low):.1f}V{height(point.high):.1f}"
            parts.append(f'<path d="{ends}" stroke="#14345c" stroke-width="2"/>')
        parts.append(
            f'<circle cx="{x:.1f}" cy="{height(point.y):.1f}" r="4" fill="#14345c">'
            f"<title>{point.y:.3f}</title></circle>"
        )
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(f'<text x="{middle}" y="{HEIGHT - 6}" text-anchor="middle">{html.escape(x_name)}</text>')
    parts.append(
        f'<text transform="translate(14 {(HEIGHT - BOTTOM) / 2}) rotate(-90)" text-anchor="middle">'
        f"{html.escape(y_name)}</text>"
    )
    return _svg(WIDTH, HEIGHT, f"{y_name} against {x_name}", parts)


def _labels(places: Sequence[tuple[float, float, str]]) -> list[str]:
    """Words beside their dots, the first ones, where no other word stands."""
    taken: list[tuple[float, float]] = []
    parts = []
    for x, y, text in places:
        free = all(abs(x - a) > LABEL_WIDTH or abs(y - b) > LABEL_HEIGHT for a, b in taken)
        if free and len(taken) < MOST_LABELS:
            taken.append((x, y))
            side = 'text-anchor="end"' if x > WIDTH - 2 * LABEL_WIDTH else ""
            parts.append(f'<text x="{x + (-6 if side else 6):.1f}" y="{y + 4:.1f}" {side}>{html.escape(text)}</text>')
    return parts


def heat_map(names: Sequence[str], pairs: Sequence[tuple[int, int, float]]) -> str:
    """A square for each two of the named things, the darker the larger their value."""
    large = len(names) <= 20
    size = CELL if large else SMALL_CELL
    values = [value for _, _, value in pairs]
    span = max(max(values) - min(values), LEAST_SPAN)
    least = (max(values) + min(values) - span) / 2
    parts = []
    for i, name in enumerate(names):
        middle = 24 + i * size + size / 2
        parts.append(
            f'<text x="20" y="{middle + 4:.0f}" text-anchor="end">{i + 1}<title>{html.escape(name)}</title></text>'
        )
        parts.append(f'<text x="{middle:.0f}" y="16" text-anchor="middle">{i + 1}</text>')
    for a, b, value in pairs:
        light = 92 - 55 * (value - least) / span
        ink = ' style="fill:#fff"' if light < 60 else ""
        for row, column in ((a, b), (b, a)):
            x, y = 24 + column * size, 24 + row * size
            parts.append(
                f'<rect x="{x}" y="{y}" width="{size - 1}" height="{size - 1}" fill="hsl(210 55% {light:.0f}%)">'
                f"<title>{a + 1} and {b + 1}: {value:.4f}</title></rect>"
            )
            if large:
                parts.append(
                    f'<text x="{x + size / 2}" y="{y + size / 2 + 4}" text-anchor="middle"{ink}>{value:.3f}</text>'
                )
    side = 30 + len(names) * size
    return _svg(side, side, "value of each pair", parts)


def trust_table(found: TrustedNeighbors) -> str:
    """The neighbours of a word, with a bar for the share of runs, and those marked that most runs surely have."""
    rows = []
    for i, word in enumerate(found.words):
        sure = found.low[i] > 0.5  # Wilson's interval leaves no doubt that most runs have it
        rows.append(
            f'<tr class="{"sure" if sure else "unsure"}"><td>{html.escape(word)}</td>'
            f"<td>{_bar(found, i, bool(sure))}</td>"
            f"<td>{found.share[i] * found.runs:.0f} of {found.runs}</td>"
            f"<td>{found.cosine[i]:.3f} ± {found.deviation[i]:.3f}</td>"
            f"<td>{found.rank_median[i]:g} ({found.rank_min[i]}–{found.rank_max[i]})</td>"
            f"<td>{'trusted' if sure else 'not trusted'}</td></tr>"
        )
    head = "".join(f"<th>{name}</th>" for name in ("word", "share of runs", "", "cosine", "rank", ""))
    return (
        f"<table><caption>{html.escape(found.query)}</caption><thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _bar(found: TrustedNeighbors, i: int, sure: bool) -> str:
    low, high = found.low[i] * BAR, found.high[i] * BAR
    parts = [
        f'<rect width="{BAR}" height="12" fill="#e9edf2"/>',
        f'<rect width="{found.share[i] * BAR:.1f}" height="12" fill="{"#5f9f6e" if sure else "#b4bec9"}"/>',
        f'<path d="M{low:.1f} 6H{high:.1f}M{low:.1f} 2v8M{high:.1f} 2v8" stroke="#1c2430"/>',
    ]
    return _svg(BAR, 12, f"{found.share[i]:.2f}, {found.low[i]:.2f} to {found.high[i]:.2f}", parts)


def _svg(width: float, height: float, label: str, parts: Sequence[str]) -> str:
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
        f'aria-label="{html.escape(label, quote=True)}">{"".join(parts)}</svg>'
    )
