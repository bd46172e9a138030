"""The service: models behind HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wordgeo.cli.options import given

__all__ = ["serve"]


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]...")
@click.option("--folder", metavar="DIR", help="Serve every model in DIR, also those that come later.")
@click.option("--host", metavar="ADDRESS", help="Where to listen.  [127.0.0.1]")
@click.option("--port", type=int, metavar="N", help="Where to listen; 0 for any that is free.  [8080]")
@click.option("--workers", type=int, metavar="N", help="Processes, which share the models' memory.  [1]")
@click.option("--threads", type=int, metavar="N", help="Threads of the engine in each.  [the cores, shared]")
@click.option("--allow-vectors", is_flag=True, default=None, help="Give vectors away on request.")
@click.option("--keys", metavar="FILE", help="Demand an API key; FILE lists them.")
@click.option("--without-keys", is_flag=True, default=None, help="Serve other machines and demand no key.")
@click.option("--new-key", metavar="NAME", help="Print a new API key and its line for the file of keys; serve nothing.")
@click.option("--rate", type=float, metavar="X", help="Requests a second that one key may make.")
@click.option("--origins", multiple=True, metavar="URL", help="An origin whose pages may ask (CORS); repeatable.")
@click.option("--max-body", type=int, metavar="BYTES", help="Of a request.  [1048576]")
@click.option("--max-batch", type=int, metavar="N", help="Questions in a request.  [1000]")
@click.option("--max-k", type=int, metavar="N", help="Words in an answer.  [1000]")
@click.option("--max-queue", type=int, metavar="N", help="Questions that may wait in a worker.  [4096]")
@click.option("--max-connections", type=int, metavar="N", help="Of a worker.  [1024]")
@click.option("--max-headers", type=int, metavar="BYTES", help="Of a request's headers.  [16384]")
@click.option("--max-jobs", type=int, metavar="N", help="Evaluations that may wait or run.  [8]")
@click.option("--deadline", type=float, metavar="S", help="Seconds in which a question is answered, or refused.  [5]")
@click.option("--read-timeout", type=float, metavar="S", help="Seconds for a request's headers, and its body.  [10]")
@click.option("--idle-timeout", type=float, metavar="S", help="Seconds a connection may be silent.  [30]")
@click.option("--cache", type=int, metavar="N", help="Answers kept for repeated questions; 0 for none.  [4096]")
@click.option("--jobs", metavar="DIR", help="Where evaluations are kept.  [a temporary folder]")
@click.option("--generation", metavar="FILE", help="Touching FILE reloads every model.")
@click.option("--reload-every", type=float, metavar="S", help="Seconds between looks at the models' folders.  [2]")
@click.option("--access-log", metavar="FILE", help="A line of JSON a request: a file, - (stderr) or off.  [-]")
@click.option("--drain", type=float, metavar="S", help="Seconds between saying that it ends and ending.  [0]")
@click.option("--grace", type=float, metavar="S", help="Seconds that accepted requests may then take.  [10]")
@click.option("--config", type=click.Path(path_type=Path), metavar="FILE", help="TOML with these options by name.")
def serve(config: Path | None, new_key: str | None, **options: Any) -> None:
    """Serve models over HTTP: an API, its documentation, and a page to explore them.

    The API is at /v1, its documentation at /docs, the page at /. Other machines are served (--host) only with keys,
    unless --without-keys is given.

    \b
        wordgeo serve wiki news --port 8080
    """
    from wordgeo.service import ServiceConfig
    from wordgeo.service import serve as run

    if new_key is not None:
        from wordgeo.service.keys import new_key as make

        secret, line = make(new_key)
        click.echo(f"key   {secret}\nline  {line}")
        return
    run(ServiceConfig.read(config, **given(options)))
