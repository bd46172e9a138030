"""Training a model again, from what it says of itself."""

from __future__ import annotations

from pathlib import Path

import click

from wordgeo.cli.options import output_options
from wordgeo.cli.output import format_option, show

__all__ = ["reproduce"]


@click.command()
@click.argument("model", metavar="MODEL")
@output_options(required=True)
@click.option("--corpus", metavar="SRC", help="The encoded corpus, or its text.  [looked for in the cache]")
@format_option
def reproduce(model: str, output: Path, overwrite: bool, corpus: str | None, style: str) -> None:
    """Train a model again from its provenance, and compare the bytes.

    What differs (versions, machine, threads) is listed. The exit code is 1 where the bytes are not the same.

    \b
        wordgeo reproduce novels.model -o again
    """
    from wordgeo.errors import TrainingError
    from wordgeo.training import reproduce as train_again

    result = train_again(model, output, corpus=corpus, overwrite=overwrite, progress=True)
    show(result, style)
    if not result.same:
        raise TrainingError(f"{output} does not have the bytes of {model}; what may explain it is listed above")
