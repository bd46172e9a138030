"""Progress of long work: a small interface that every long function takes, and the bar that a terminal shows."""

from __future__ import annotations

import sys
from typing import Protocol

__all__ = ["Progress", "SilentProgress", "TerminalProgress", "resolve_progress"]


class Progress(Protocol):
    """What long work reports to. Calls come from one thread."""

    def start(self, task: str, total: float | None, unit: str) -> None:
        """A task begins; `total` is its size in `unit`s (None where it is not known)."""

    def advance(self, amount: float, note: str = "") -> None:
        """`amount` more is done; `note` is shown beside the bar (a loss, for instance)."""

    def finish(self) -> None:
        """The task has ended, well or not."""


class SilentProgress:
    """Shows nothing: the default in Python."""

    def start(self, task: str, total: float | None, unit: str) -> None:
        """Does nothing."""

    def advance(self, amount: float, note: str = "") -> None:
        """Does nothing."""

    def finish(self) -> None:
        """Does nothing."""


class TerminalProgress:
    """A bar on stderr with rate and time left; silent where stderr is not a terminal."""

    def start(self, task: str, total: float | None, unit: str) -> None:
        """Shows the bar."""
        from rich.console import Console
        from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars
        from rich.progress import Task as Row
        from rich.text import Text

        class Rate(ProgressColumn):
            def render(self, task: Row) -> Text:
                return Text("" if not task.speed else f"{_short(task.speed)} {unit}/s")

        console = Console(stderr=True)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            Rate(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
            disable=not console.is_terminal,
            transient=True,
        )
        self._bars.start()
        self._task = self._bars.add_task(task, total=total, note="")

    def advance(self, amount: float, note: str = "") -> None:
        """Moves the bar."""
        if note:
            self._bars.update(self._task, advance=amount, note=note)
        else:
            self._bars.update(self._task, advance=amount)

    def finish(self) -> None:
        """Takes the bar away."""
        self._bars.stop()


def resolve_progress(progress: Progress | bool | None) -> Progress:
    """`True` is a bar on a terminal, `False` and `None` silence, anything else is taken as it is."""
    if progress is True:
        return TerminalProgress() if sys.stderr.isatty() else SilentProgress()
    if progress is None or progress is False:
        return SilentProgress()
    return progress


def _short(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.1f} {letter}"
    return f"{value:.0f}"
