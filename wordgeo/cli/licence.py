"""The licence of what is to be downloaded: shown, and accepted before anything is."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from wordgeo.corpus import Recipe

__all__ = ["licence_accepted"]


def licence_accepted(recipe: Recipe, yes: bool) -> bool:
    """Whether the licence, which is shown, is accepted: by `--yes`, or by an answer."""
    if recipe.url is None:
        return yes
    click.echo(f"{recipe.title}. {recipe.description}\nLicence: {recipe.licence} ({recipe.source})", err=True)
    try:
        return yes or click.confirm("Do you keep to it, and fetch it?", err=True)
    except click.Abort:
        if sys.stdin.isatty():
            raise  # Ctrl-C
        click.echo(err=True)
        return False  # nobody is there to answer
