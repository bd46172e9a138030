"""Training from the command line, from a file of settings, or both."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wordgeo.cli.options import counting_options, encoding_options, given, output_options
from wordgeo.cli.output import format_option, show, show_models

__all__ = ["train"]


@click.command()
@click.argument("sources", nargs=-1, metavar="SRC...")
@output_options(required=False)
@click.option(
    "--config",
    "settings",
    metavar="FILE.toml",
    type=click.Path(path_type=Path),
    help="Read options from a file; the command line wins.",
)
@click.option("--algorithm", metavar="NAME", help="skipgram, cbow, fasttext, glove or ppmi.  [skipgram]")
@click.option("--engine", metavar="NAME", help="auto, native or gensim; auto takes native where it exists.  [auto]")
@click.option("--dim", type=int, metavar="N", help="Dimensions of the vectors.")
@click.option("--window", type=int, metavar="N", help="Largest distance between a word and its context.")
@click.option("--negative", type=int, metavar="N", help="Noise words for each pair; 0 needs --hs.")
@click.option("--hs/--no-hs", default=None, help="Hierarchical softmax.")
@click.option("--epochs", type=int, metavar="N", help="Passes over the corpus.")
@click.option("--min-count", type=int, metavar="N", help="Leave out words that occur less often.")
@click.option("--sample", type=float, metavar="X", help="Share above which frequent words are thinned; 0 keeps all.")
@click.option("--alpha", type=float, metavar="X", help="Learning rate at the start; GloVe: exponent of the weights.")
@click.option("--min-alpha", type=float, metavar="X", help="Learning rate at the end.")
@click.option("--ns-exponent", type=float, metavar="X", help="Exponent of the noise distribution.")
@click.option(
    "--cbow-mean/--no-cbow-mean", default=None, help="CBOW averages the context's vectors, or adds them.  [average]"
)
@click.option("--shrink-windows/--no-shrink-windows", default=None, help="Draw each window from 1 to --window.  [on]")
@click.option("--min-n", type=int, metavar="N", help="FastText: characters of the shortest n-grams.  [3]")
@click.option("--max-n", type=int, metavar="N", help="FastText: characters of the longest n-grams.  [6]")
@click.option("--bucket", type=int, metavar="N", help="FastText: how many vectors n-grams share.  [2000000]")
@click.option("--racy/--no-racy", default=None, help="Native: threads do not wait; faster, other bytes each time.")
@click.option("--holdout", type=float, metavar="X", help="Native: leave out this share to measure the loss on.  [0]")
@click.option("--patience", type=int, metavar="N", help="Native: end after N epochs without a better held-out loss.")
@click.option("--combine", metavar="NAME", help="GloVe, PPMI: the vector is that of the word, context, or sum.")
@click.option("--x-max", type=float, metavar="X", help="GloVe: counts from here on have the full weight.  [100]")
@click.option("--learning-rate", type=float, metavar="X", help="GloVe: learning rate of AdaGrad.  [0.05]")
@click.option("--bias-learning-rate", type=float, metavar="X", help="GloVe: that of the biases.  [1]")
@click.option("--init", metavar="HOW", help="GloVe: uniform, or a model to begin from.  [uniform]")
@click.option("--context-smoothing", type=float, metavar="X", help="PPMI: power of the contexts' counts.  [0.75]")
@click.option("--shift", type=float, metavar="X", help="PPMI: take away log X; 1 for nothing.  [1]")
@click.option("--eigenvalue-power", type=float, metavar="X", help="PPMI: power of the singular values.  [0.5]")
@click.option("--seed", type=int, metavar="N", help="The same seed gives the same bytes.")
@click.option("--threads", type=int, metavar="N", help="Threads; see the guide for what they may change.")
@click.option("--runs", type=int, metavar="N", help="Train N models with the seeds SEED, SEED + 1, ...: an ensemble.")
@click.option("--resample", metavar="HOW", help="Of runs: none, shuffle or bootstrap the documents for each.  [none]")
@click.option("--fix-seed", is_flag=True, default=None, help="Of resampled runs: all with SEED; samples differ.")
@click.option(
    "--resample-vocabulary", is_flag=True, default=None, help="Count the words anew in each sample.  [the corpus's own]"
)
@click.option("--workers", type=int, metavar="N", help="Make N runs at a time, each in a process of its own.  [1]")
@click.option("--backend", metavar="NAME", help="What makes the runs: processes, or ray (extra: ray).  [processes]")
@click.option("--keep-training-state", is_flag=True, help="Keep what going on needs beside the vectors.")
@click.option(
    "--start-from",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Go on with this model, which kept its training state; its options hold where none are given.",
)
@click.option(
    "--checkpoint-every",
    metavar="N",
    help="Keep a checkpoint in DIR.training after every N epochs, until the model is there.  [never]",
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint of a training that was killed.")
@click.option("--defaults", is_flag=True, help="Print the default of every option for every algorithm, and leave.")
@counting_options
@encoding_options
@format_option
def train(
    sources: tuple[str, ...],
    output: Path | None,
    overwrite: bool,
    settings: Path | None,
    defaults: bool,
    style: str,
    **options: Any,
) -> None:
    """Train word vectors on text or on an encoded corpus.

    SRC is what `corpus encode` takes, or a folder that it wrote (the options from --tokens on belong to the encoding,
    and contradicting it is an error). Options that are not given take the algorithm's own defaults (--defaults).

    \b
        wordgeo train novels/ -o novels.model --dim 200 --seed 1
        wordgeo train novels.corpus -o novels.models --runs 5
        wordgeo train more/ -o more.model --start-from novels.model
    """
    if defaults:
        from wordgeo.training.config import defaults_table

        show(defaults_table(), style)
        return
    context = click.get_current_context()
    if not sources:
        raise click.UsageError("Missing argument 'SRC...'", context)
    if output is None:
        raise click.UsageError("Missing option '-o' / '--output'", context)
    import wordgeo as wg
    from wordgeo.training.config import load_toml

    chosen = {**(load_toml(settings) if settings else {}), **given(options)}
    model = wg.train(list(sources), output=output, overwrite=overwrite, progress=True, **chosen)
    models = list(model) if isinstance(model, wg.Ensemble) else [model]
    show_models([(str(one.path), one) for one in models], style)
