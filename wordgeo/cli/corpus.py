"""Corpora: text becomes arrays of ids once, and every training run reads those."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wordgeo.cli.options import encoding_options, given, output_options
from wordgeo.cli.output import format_option, show

__all__ = ["corpus"]


@click.group()
def corpus() -> None:
    """Turn text into an encoded corpus, and describe one."""


@corpus.command()
@click.argument("sources", nargs=-1, required=True, metavar="SRC...")
@output_options(required=True)
@encoding_options
@click.option("--threads", type=int, metavar="N", help="Threads; the bytes are the same for any number.  [all cores]")
@format_option
def encode(sources: tuple[str, ...], output: Path, overwrite: bool, style: str, **options: Any) -> None:
    """Encode text into a folder that `train` reads.

    SRC is a file, a folder, a pattern such as 'texts/*.txt', or - for standard input. Compressed files are read as
    they are. No word is dropped: what is rare is left out at training (--min-count).

    \b
        wordgeo corpus encode novels/ -o novels.corpus
    """
    import wordgeo as wg
    from wordgeo.corpus import stats as count

    show(count(wg.encode(list(sources), output, overwrite=overwrite, progress=True, **given(options))), style)


@corpus.command()
@click.argument("folder", metavar="DIR")
@format_option
def stats(folder: str, style: str) -> None:
    """Describe an encoded corpus: tokens, types, documents, what was replaced or left out.

    \b
        wordgeo corpus stats novels.corpus
    """
    from wordgeo.corpus import EncodedCorpus
    from wordgeo.corpus import stats as count

    show(count(EncodedCorpus.open(folder)), style)
