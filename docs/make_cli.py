"""Writes docs/cli.md from the help of every command: `python docs/make_cli.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from wordgeo.cli import commands

PAGE = Path(__file__).with_name("cli.md")
HEAD = """\
# Command line

<!-- Written by docs/make_cli.py from the help of every command; do not edit. -->

Exit codes: 0 well; 1 an error, one line on standard error says which; 2 bad usage; 3 a score below `--fail-under`;
130 interrupted. `--format json` of a report is what its `to_dict()` gives in Python.
"""


def top() -> click.Context:
    """The context of `wordgeo` itself."""
    return click.Context(commands, info_name="wordgeo", terminal_width=88, **commands.context_settings)


def every_command(context: click.Context) -> Iterator[click.Context]:
    """The context of a command, and those of all commands below it."""
    yield context
    command = context.command
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from every_command(click.Context(below, parent=context, info_name=name, terminal_width=88))


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for context in every_command(top()):
        level = "###" if context.parent and context.parent.parent else "##"
        parts.append(f"{level} {context.command_path}\n\n```text\n{context.get_help()}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
