"""The query engine beside its peers, on the user's own model and machine."""

from __future__ import annotations

import click

from wordgeo.cli.models import load_one
from wordgeo.cli.output import format_option, show

__all__ = ["bench"]


@click.command()
@click.argument("model", required=False)
@click.option("--queries", type=int, default=1000, show_default=True, help="Queries of a batch.")
@click.option("-k", type=int, default=10, show_default=True, help="Neighbours of each query.")
@click.option("--rounds", type=int, default=5, show_default=True, help="Rounds; the best of each counts.")
@click.option("--threads", type=int, help="Threads.  [all cores of the process]")
@click.option("--google", is_flag=True, help="Also the Google set by gensim's evaluation (slow).")
@format_option
def bench(model: str | None, queries: int, k: int, rounds: int, threads: int | None, google: bool, style: str) -> None:
    """Time queries on a model beside NumPy, gensim, faiss and usearch.

    Peers take part where they are installed. Without MODEL the vectors are random, 100,000 of 200 dimensions. Every
    line compares two times of one run.

    \b
        wordgeo bench wiki --google
    """
    from wordgeo.bench import bench as measure
    from wordgeo.bench import random_model

    vectors = random_model() if model is None else load_one(model)
    report = measure(
        vectors, queries=queries, k=k, rounds=rounds, threads=threads, gensim_evaluation=google, progress=True
    )
    show(report, style)
