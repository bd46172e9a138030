"""The command line: the list of commands, each imported only when it is used, and what every ending means."""

from __future__ import annotations

import contextlib
import importlib
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from wordgeo._version import __version__
from wordgeo.errors import OptionError, WordgeoError

__all__ = ["COMMANDS", "commands", "main"]

INTERRUPTED = 130

# name: (module, function, first line of its help). The line stands here so that `wordgeo --help` imports no command.
COMMANDS = {
    "demo": ("demo", "demo", "Do the whole job in about a minute, on a sample of Wikipedia."),
    "corpus": ("corpus", "corpus", "Turn text into an encoded corpus, and describe one."),
    "train": ("train", "train", "Train word vectors on text or on an encoded corpus."),
    "reproduce": ("reproduce", "reproduce", "Train a model again from its provenance, and compare the bytes."),
    "similar": ("query", "similar", "List the nearest neighbours of each WORD."),
    "similarity": ("query", "similarity", "Print the cosine of two words."),
    "analogy": ("query", "analogy", "Answer 'A is to B as C is to ?'."),
    "query": ("query", "query", "List the words nearest to a sum such as 'king - man + woman'."),
    "odd": ("query", "odd", "Find the word that does not belong to the others."),
    "eval": ("evaluate", "evaluate", "Score models on analogies, relations, similarities and categories."),
    "stability": ("stability", "stability", "Measure how far models agree on the neighbours of words."),
    "compare": ("compare", "compare", "Find the words that changed from model A to model B, beyond chance."),
    "convert": ("convert", "convert", "Convert vectors between file formats and model folders."),
    "serve": ("serve", "serve", "Serve models over HTTP: an API, its documentation, and a page to explore them."),
    "info": ("convert", "info", "Describe a model, or this system (--system)."),
    "bench": ("bench", "bench", "Time queries on a model beside NumPy, gensim, faiss and usearch."),
    "completion": ("completion", "completion", "Print the script that completes wordgeo's commands in a shell."),
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are run or asked for help, and not before."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order in which a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Imports the command's module."""
        if cmd_name not in COMMANDS:
            return None
        module, function, _ = COMMANDS[cmd_name]
        return getattr(importlib.import_module(f"wordgeo.cli.{module}"), function)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The list in `wordgeo --help`, from the table alone."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, _, line) in COMMANDS.items()])


class _OneLine(logging.Formatter):
    """`warning: 12 bytes were replaced`: the library's messages look like the command line's own."""

    def format(self, record: logging.LogRecord) -> str:
        return f"{record.levelname.lower()}: {' '.join(record.getMessage().split())}"


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wordgeo", message="%(prog)s %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Log what is done, to standard error.")
def commands(verbose: bool) -> None:
    """Train word embeddings, ask them questions, and know which answers to trust."""
    handler = logging.StreamHandler()
    handler.setFormatter(_OneLine())
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, handlers=[handler])
    warnings.showwarning = _one_line_warning


def main(args: Sequence[str] | None = None) -> NoReturn:
    """Runs one command (`args`, by default the process's own) and leaves with its exit code."""
    sys.exit(_run(args))


def _run(args: Sequence[str] | None) -> int:
    """The exit code: 0 well, 1 an error, 2 bad usage, 3 a threshold missed, 130 interrupted.

    An exception that none of these explains is a bug of ours, and its traceback is what a report of it needs.
    """
    try:
        code = commands.main(args, prog_name="wordgeo", standalone_mode=False)
    except WordgeoError as problem:
        return _fail(str(problem), problem.exit_code)
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        return OptionError.exit_code
    except click.UsageError as problem:
        place = problem.ctx.command_path if problem.ctx else "wordgeo"
        return _fail(f"{problem.format_message().rstrip('.')}; see '{place} --help'", OptionError.exit_code)
    except (click.Abort, KeyboardInterrupt):
        return _fail("interrupted", INTERRUPTED)
    except OSError as problem:
        _give_up_unwritable_output()
        place = f"{problem.filename}: " if problem.filename else ""
        return _fail(f"{place}{os.strerror(problem.errno).lower() if problem.errno else problem}", 1)
    return code if isinstance(code, int) else 0


def _give_up_unwritable_output() -> None:
    """What cannot be written now would fail once more, with a traceback, when Python exits."""
    try:
        sys.stdout.flush()
    except OSError:
        with contextlib.suppress(OSError):
            sys.stdout.close()


def _fail(message: str, code: int) -> int:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    return code


def _one_line_warning(message: Warning | str, *details: Any, **more: Any) -> None:
    click.echo(f"warning: {' '.join(str(message).split())}", err=True)
