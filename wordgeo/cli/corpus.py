"""Corpora: text becomes arrays of ids once, and every training run reads those."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wordgeo.cli.licence import licence_accepted
from wordgeo.cli.options import counting_options, encoding_options, given, output_options, read_filters
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

    SRC is a file, a folder, a pattern such as 'texts/*.txt', a web address, or - for standard input. Compressed files
    and archives are read as they are. Unless you say so, no word is dropped: what is rare is left out at training
    (--min-count).

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


@corpus.command()
@click.argument("folder", metavar="CORPUS")
@output_options(required=True)
@click.option("--window", type=int, metavar="N", help="Largest distance between a word and its context.  [10]")
@counting_options
@click.option("--sample", type=float, metavar="X", help="Share above which frequent words are thinned; 0 for all.  [0]")
@click.option("--min-count", type=int, metavar="N", help="Leave out words that occur less often.  [5]")
@click.option(
    "--words",
    "word_file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Count the words listed in FILE, one a line, in their order, instead of those of --min-count.",
)
@click.option("--threads", type=int, metavar="N", help="Threads; the bytes are the same for any number.  [all cores]")
@format_option
def count(
    folder: str, output: Path, overwrite: bool, style: str, memory: str | None, threads: int | None, **options: Any
) -> None:
    """Count which words of an encoded corpus stand near each other.

    The sums are exact, and are kept as a sparse matrix that Python maps (wordgeo.training.counting). GloVe and PPMI
    count for themselves, into the cache.

    \b
        wordgeo corpus count novels.corpus -o novels.counts --window 5 --memory 1G
    """
    from wordgeo.corpus import EncodedCorpus
    from wordgeo.training.counting import CountingOptions
    from wordgeo.training.counting import count as count_pairs

    chosen = CountingOptions(**read_filters(options))
    budget = given({"memory": memory})
    counts = count_pairs(
        EncodedCorpus.open(folder), output, chosen, overwrite=overwrite, threads=threads, progress=True, **budget
    )
    show(counts, style)


@corpus.command()
@click.argument("folder", metavar="DIR")
@click.argument("word")
@click.argument("near", required=False, metavar="[NEIGHBOUR]")
@click.option("--window", type=int, metavar="N", help="Words on either side, and how far NEIGHBOUR may be.  [5]")
@click.option("--limit", type=int, metavar="N", help="At most so many lines, spread over the corpus.  [20]")
@format_option
def context(folder: str, word: str, near: str | None, style: str, **options: Any) -> None:
    """Show where a word stands in the text, or where it stands near another.

    That is the evidence behind a neighbour: DIR is the encoded corpus that the model was trained on.

    \b
        wordgeo corpus context novels.corpus carriage horse
    """
    from wordgeo.corpus import EncodedCorpus

    show(EncodedCorpus.open(folder).context(word, near, **given(options)), style)


@corpus.command(name="list")
@format_option
def list_recipes(style: str) -> None:
    """List the well-known corpora that `corpus fetch` knows.

    \b
        wordgeo corpus list
    """
    from wordgeo.corpus.recipes import RecipeList, recipes

    show(RecipeList(tuple(recipes())), style)


@corpus.command()
@click.argument("name")
@click.option("--language", metavar="CODE", help="Language, for corpora that have several: de, pt, simple.")
@click.option("-o", "--output", "folder", metavar="DIR", help="Folder to put it in.  [the cache]")
@click.option("--yes", is_flag=True, help="You have read the licence and keep to it: do not ask.")
def fetch(name: str, language: str | None, folder: str | None, yes: bool) -> None:
    """Download a well-known corpus, and print the path of its file.

    The licence is shown and has to be accepted first. A download that was cut off goes on where it stopped.

    \b
        wordgeo corpus encode "$(wordgeo corpus fetch text8 --yes)" --tokens whitespace -o text8.corpus
    """
    from wordgeo.corpus import fetch as fetch_corpus
    from wordgeo.corpus import find_recipe

    recipe = find_recipe(name)
    accepted = licence_accepted(recipe, yes)
    click.echo(fetch_corpus(recipe, accept_licence=accepted, language=language, folder=folder, progress=True))


@corpus.command()
@click.option(
    "-o",
    "--output",
    metavar="FILE.txt",
    required=True,
    type=click.Path(path_type=Path),
    help="Text to write; FILE.truth.json stands beside it, and with --drift there are FILE.1.txt and FILE.2.txt.",
)
@click.option("--overwrite", is_flag=True, help="Replace the files where they exist.")
@click.option("--size", type=int, metavar="N", help="Words of the text.  [2000000]")
@click.option("--seed", type=int, metavar="N", help="The same seed gives the same text.  [1]")
@click.option("--noise", type=float, metavar="X", help="Share of contexts that are drawn from anywhere.  [0.05]")
@click.option("--zipf", type=float, metavar="X", help="How steeply frequencies fall; 0 makes all alike.  [0.5]")
@click.option("--drift", type=float, metavar="X", help="Share of words that change places in a second slice.  [0]")
@format_option
def planted(output: Path, overwrite: bool, style: str, **options: Any) -> None:
    """Write a text whose truth is known: sentences made from tables of true facts.

    A model of it should answer the Google analogies; what else is planted stands in FILE.truth.json.

    \b
        wordgeo corpus planted -o world.txt --seed 7
        wordgeo train world.txt -o world.model
    """
    from wordgeo.corpus.planted import generate, write

    show(write(generate(**given(options)), output, overwrite=overwrite), style)
