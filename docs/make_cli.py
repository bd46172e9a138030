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


def every_command(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    """The command and all below it, each with the context that its help needs."""
    yield command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from every_command(below, click.Context(below, parent=context, info_name=name, terminal_width=88))


def page() -> str:
    """The whole page."""
    top = click.Context(commands, info_name="wordgeo", terminal_width=88, **commands.context_settings)
    parts = [HEAD]
    for command, context in every_command(commands, top):
        level = "##" if context.parent is None or context.parent is top else "###"
        parts.append(f"{level} {context.command_path}\n\n```text\n{command.get_help(context)}\n```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
