"""Every command has help, stands in the documentation, and imports nothing heavy before it runs."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from wordgeo.cli import COMMANDS, commands

DOCS = Path(__file__).parents[2] / "docs"
HEAVY = ("numpy", "gensim", "rich", "scipy", "wordgeo.results", "wordgeo.corpus", "wordgeo.training", "wordgeo.query")


def make_cli():
    spec = importlib.util.spec_from_file_location("make_cli", DOCS / "make_cli.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MAKE_CLI = make_cli()
EVERY = {context.command_path: context for context in MAKE_CLI.every_command(MAKE_CLI.top())}


@pytest.mark.parametrize(("path", "context"), EVERY.items(), ids=EVERY)
def test_every_command_has_help_for_itself_and_its_options(path, context) -> None:
    assert context.command.help, "write a docstring"
    for option in context.command.get_params(context):
        if isinstance(option, click.Option):
            assert option.help, f"{path}: {option.opts}"


@pytest.mark.parametrize("path", EVERY)
def test_every_command_is_in_the_reference(path) -> None:
    assert f"# {path}\n" in (DOCS / "cli.md").read_text(encoding="utf-8")


def test_the_reference_is_up_to_date() -> None:
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == MAKE_CLI.page(), "run `python docs/make_cli.py`"


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "completion"])
def test_the_guide_shows_every_command(name) -> None:
    assert re.search(rf"wordgeo {name}\b", (DOCS / "guide.md").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_table_of_commands_tells_the_truth(name) -> None:
    command = commands.get_command(click.Context(commands), name)
    assert command.name == name
    assert command.help.splitlines()[0] == COMMANDS[name][2]


def test_train_has_every_option_of_training_and_encoding() -> None:
    from dataclasses import fields

    from wordgeo.training.config import ENCODING_OPTIONS, TrainingConfig

    train = commands.get_command(click.Context(commands), "train")
    own = {
        "sources",
        "output",
        "overwrite",
        "settings",
        "defaults",
        "style",
        "runs",
        "resample",
        "fix_seed",
        "resample_vocabulary",
        "workers",
        "backend",
        "start_from",
        "keep_training_state",
        "checkpoint_every",
        "resume",
        "memory",
    }
    assert {option.name for option in train.params} - own == {
        *(field.name for field in fields(TrainingConfig)),
        *ENCODING_OPTIONS,
    }


def test_help_imports_nothing_heavy() -> None:
    """Of every command, in one fresh process: what makes a program slow to answer is what it imports."""
    code = f"""
import sys
from wordgeo.cli import main
for path in {[path.split()[1:] for path in EVERY]!r}:
    try:
        main([*path, "--help"])
    except SystemExit as leaving:
        assert leaving.code == 0, path
print(*sys.modules, file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stderr.split()) & set(HEAVY)


def test_help_and_version_import_no_command() -> None:
    code = """
import sys
from wordgeo.cli import main
try:
    main([sys.argv[1]])
finally:
    print(*sys.modules, file=sys.stderr)
"""
    for option in ("--help", "-h", "--version"):
        done = subprocess.run([sys.executable, "-c", code, option], capture_output=True, text=True, check=True)
        ours = {name for name in done.stderr.split() if name.startswith("wordgeo")}
        assert ours == {"wordgeo", "wordgeo._version", "wordgeo.errors", "wordgeo.cli"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(wordgeo, shell) -> None:
    done = wordgeo("completion", shell)
    assert (done.code, done.err) == (0, "")
    assert "_WORDGEO_COMPLETE" in done.out


def test_completion_completes() -> None:
    """What the shell's script asks for: candidates for the words typed so far."""
    code = "from wordgeo.cli import main; main()"
    ask = {"_WORDGEO_COMPLETE": "bash_complete", "COMP_WORDS": "wordgeo corpus en", "COMP_CWORD": "2"}
    env = {**os.environ, **ask}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=False)
    assert done.stdout == "plain,encode\n"
