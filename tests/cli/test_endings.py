"""How commands end: exit codes, one line on standard error, closed pipes, full disks, Ctrl-C."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys

import click
import pytest

from wordgeo import cli
from wordgeo.errors import ThresholdError, UnknownWordError

PROGRAM = [sys.executable, "-m", "wordgeo.cli"]


@pytest.mark.parametrize(
    "args",
    [
        ["--no-such-option"],
        ["no-such-command"],
        ["corpus", "no-such-command"],
        ["similar"],
        ["similar", "model"],
        ["similar", "model", "king", "-k", "ten"],
        ["similar", "model", "king", "--format", "xml"],
        ["analogy", "model", "a", "b"],
        ["train", "text.txt"],
        ["train", "-o", "model"],
        ["corpus", "encode", "text.txt"],
        ["info"],
        ["info", "model", "--system"],
        ["completion", "tcsh"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_one_line_and_2(wordgeo, args) -> None:
    done = wordgeo(*args)
    assert done.code == 2
    assert done.out == ""
    assert done.err.count("\n") == 1
    assert done.err.startswith("error: ")
    assert "--help" in done.err


def test_no_arguments_show_the_help(wordgeo) -> None:
    done = wordgeo()
    assert done.code == 2
    assert "Commands:" in done.err


@pytest.mark.parametrize(
    ("problem", "code", "line"),
    [
        (
            UnknownWordError("kign", 9, ["king"]),
            1,
            "'kign' is not among the 9 words of the vocabulary; did you mean king?",
        ),
        (ThresholdError("0.2 is\nbelow 0.3"), 3, "0.2 is below 0.3"),
        (PermissionError(13, "Permission denied", "secret.txt"), 1, "secret.txt: permission denied"),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_kind_of_error_has_its_code(wordgeo, monkeypatch, problem, code, line) -> None:
    """A command that fails so, put among the others."""

    @click.command()
    def failing() -> None:
        raise problem

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing)
    done = wordgeo("failing")
    assert done.code == code
    assert done.err.strip() == f"error: {line}"


def test_a_bug_shows_its_traceback(monkeypatch) -> None:
    @click.command()
    def failing() -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: failing)
    with pytest.raises(ZeroDivisionError):
        cli.main(["failing"])


def test_warnings_are_one_line(wordgeo, monkeypatch) -> None:
    @click.command()
    def warning() -> None:
        import warnings

        warnings.warn("12 bytes were\nreplaced", stacklevel=2)

    monkeypatch.setattr(cli.LazyGroup, "get_command", lambda *_: warning)
    done = wordgeo("warning")
    assert (done.code, done.err) == (0, "warning: 12 bytes were replaced\n")


@pytest.mark.skipif(os.name == "nt", reason="pipes end otherwise on Windows")
def test_a_closed_pipe_is_silent() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([*PROGRAM, "--help"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")  # noqa: PTH110
def test_a_full_disk_behind_the_output_is_one_line() -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run([*PROGRAM, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "error: no space left on device\n"


@pytest.mark.skipif(os.name == "nt", reason="Ctrl-C is sent otherwise on Windows")
def test_ctrl_c_leaves_with_130_and_nothing_on_disk(tmp_path) -> None:
    """Interrupted while it waits for text on standard input."""
    output = tmp_path / "corpus"
    args = [*PROGRAM, "corpus", "encode", "-", "-o", output]

    def accept_interrupts() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a job in the background is started with SIGINT ignored

    with subprocess.Popen(
        args, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=accept_interrupts
    ) as process:
        process.stdin.write("the king\n" * 200_000)  # more than a pipe holds: returns only when it is being read
        process.stdin.flush()
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(BrokenPipeError):  # a signal that came just before a read is seen after it
            os.write(process.stdin.fileno(), b"the king\n")
        assert process.wait() == 130
        assert process.stderr.read().split() == ["error:", "interrupted"]
        process.stdin = None
    assert list(tmp_path.iterdir()) == []
