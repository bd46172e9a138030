"""The door to the demonstration."""

from __future__ import annotations

from pathlib import Path

import click

__all__ = ["demo"]


@click.command()
@click.option(
    "-o",
    "--output",
    metavar="DIR",
    default="wordgeo-demo",
    show_default=True,
    type=click.Path(path_type=Path),
    help="Folder that keeps everything made.",
)
@click.option("--overwrite", is_flag=True, help="Replace what an earlier demonstration left in the folder.")
def demo(output: Path, overwrite: bool) -> None:
    """Do the whole job in about a minute, on a sample of Wikipedia.

    Encodes half a million words that come with gensim, trains three runs that differ only in their seed, asks for
    neighbours and analogies, scores the benchmarks, and says which answers the three runs agree on.
    """
    from wordgeo.demo import demonstrate

    for paragraph in demonstrate(output, overwrite=overwrite, progress=True):
        click.echo(paragraph + "\n")
