"""Completion of commands and options in a shell."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

__all__ = ["completion"]


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the script that completes wordgeo's commands in a shell.

    \b
        eval "$(wordgeo completion bash)"        in ~/.bashrc
        eval "$(wordgeo completion zsh)"         in ~/.zshrc
        wordgeo completion fish > ~/.config/fish/completions/wordgeo.fish
    """
    from wordgeo.cli import commands

    script = get_completion_class(shell)
    if script is None:
        raise click.UsageError(f"there is no completion for {shell}")
    click.echo(script(commands, {}, "wordgeo", "_WORDGEO_COMPLETE").source())
