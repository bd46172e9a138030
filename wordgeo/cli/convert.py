"""Files of vectors: conversion between formats, and what is known about a model or this system."""

from __future__ import annotations

from typing import Any

import click

from wordgeo.cli.models import load_each
from wordgeo.cli.options import given
from wordgeo.cli.output import format_option, show, show_models

__all__ = ["convert", "info"]


@click.command()
@click.argument("source", metavar="SRC")
@click.argument("destination", metavar="DST")
@click.option(
    "--to",
    "target",
    type=click.Choice(["wordgeo", "word2vec", "word2vec-binary", "glove"]),
    help="Format of DST; wordgeo is a model folder.  [told by its name]",
)
@click.option("--replace-spaces", metavar="TEXT", help="Stands for spaces in words, which vector files cannot hold.")
@click.option("--encoding-errors", type=click.Choice(["strict", "replace"]), help="Words that are not UTF-8.  [strict]")
@click.option("--duplicates", type=click.Choice(["error", "first"]), help="Words that stand twice.  [error]")
@click.option("--overwrite", is_flag=True, help="Replace DST where it exists.")
@format_option
def convert(source: str, destination: str, target: str | None, overwrite: bool, style: str, **options: Any) -> None:
    """Convert vectors between file formats and model folders.

    SRC is told by its content. DST is told by its name: .txt and .vec are word2vec text, .bin is word2vec binary,
    .glove is GloVe text, each with or without .gz; any other name is a model folder.

    \b
        wordgeo convert GoogleNews-vectors-negative300.bin.gz google
        wordgeo convert google google.txt
    """
    from wordgeo import formats
    from wordgeo.cli.reports import ModelInfo

    embeddings = formats.convert(source, destination, format=target, overwrite=overwrite, **given(options))
    show(ModelInfo.of(embeddings, destination), style)


@click.command()
@click.argument("model", required=False)
@click.option("--system", is_flag=True, help="Versions, instruction set and threads of this installation.")
@format_option
def info(model: str | None, system: bool, style: str) -> None:
    """Describe a model, or this system (--system).

    \b
        wordgeo info wiki
        wordgeo info --system
    """
    if system == (model is not None):
        raise click.UsageError("Give either MODEL or --system", click.get_current_context())
    if model is None:
        from wordgeo.system import system_info

        show(system_info(), style)
        return
    show_models(load_each(model), style)
