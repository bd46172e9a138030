"""How results are printed: `--format table|json|csv` means the same in every command."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from wordgeo.embeddings import Embeddings
    from wordgeo.results import Result, Table

__all__ = ["check_texts", "format_option", "joined", "show", "show_all", "show_models", "show_rows", "write_text"]

Function = TypeVar("Function", bound=Callable[..., Any])


def format_option(function: Function) -> Function:
    """Adds `--format`, passed on as `style`."""
    return click.option(
        "--format",
        "style",
        type=click.Choice(["table", "json", "csv"]),
        default="table",
        show_default=True,
        help="How the result is printed.",
    )(function)


def show(result: Result, style: str) -> None:
    """Prints one result: JSON is its `to_dict()`, CSV its first table."""
    if style == "json":
        _print_json(result.to_dict())
    elif style == "csv":
        click.echo(result.tables()[0].to_csv(), nl=False)
    else:
        click.echo("\n\n".join(table.to_text() for table in result.tables()))


def show_all(results: Sequence[Result], names: Sequence[str], style: str, *, column: str) -> None:
    """Prints one result for each operand: JSON is `{"results": [...]}`.

    CSV is one table, whose first column, called `column`, says which of `names` the row belongs to; where results
    have different columns, those that a row lacks are empty.
    """
    if style == "json":
        _print_json({"results": [result.to_dict() for result in results]})
    elif style == "csv":
        show_rows([result.tables()[0] for result in results], names, column=column)
    else:
        click.echo("\n\n".join(table.to_text() for result in results for table in result.tables()))


def show_rows(tables: Sequence[Table], names: Sequence[str], *, column: str) -> None:
    """Prints tables as one in CSV, see `joined`."""
    click.echo(joined(tables, names, column=column).to_csv(), nl=False)


def joined(tables: Sequence[Table], names: Sequence[str], *, column: str) -> Table:
    """Tables as one: `column` says which of `names` a row belongs to, and what a row lacks is empty."""
    from wordgeo.results import Table

    columns = list(dict.fromkeys(name for table in tables for name in table.columns))
    rows: list[list[Any]] = []
    for name, table in zip(names, tables, strict=True):
        for values in table.rows:
            row = dict(zip(table.columns, values, strict=True))
            rows.append([name, *(row.get(known) for known in columns)])
    return Table((column, *columns), rows)


def show_models(models: Sequence[tuple[str, Embeddings]], style: str) -> None:
    """Prints what is known about one model, or about each of several as `show_all` does.

    A table for people to read says only once what all of them have in common.
    """
    from wordgeo.cli.reports import ModelInfo, common_tables

    infos = [ModelInfo.of(model, name) for name, model in models]
    if len(infos) == 1:
        show(infos[0], style)
    elif style == "table":
        click.echo("\n\n".join(table.to_text() for table in common_tables(infos)))
    else:
        show_all(infos, [name for name, _ in models], style, column="model")


def check_texts(*paths: Path | None) -> None:
    """Raises what `write_text` would, before the work instead of after it."""
    from wordgeo.files import check_file

    for path in paths:
        if path is not None:
            check_file(path, overwrite=True)


def write_text(path: Path, text: str) -> None:
    """A report in a file, whole or not at all; an older one is replaced."""
    from wordgeo.files import atomic_file

    with atomic_file(path, overwrite=True) as file:
        file.write(text.encode())


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2))
