"""Fixtures that all tests share."""

import os
import signal
from pathlib import Path

import pytest

# Python would look for modules in the current folder first, and processes that tests start from the repository would
# find the uncompiled tree there instead of the installed package.
os.environ["PYTHONSAFEPATH"] = "1"

# A shell starts what it runs in the background with SIGINT ignored, and the processes that tests interrupt would
# inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real corpora, benchmarks and vectors, which are no part of the project."""
    beside = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("WORDGEO_TEST_DATA", beside))
    if not folder.is_dir():
        pytest.skip("the folder of real data is not here (set WORDGEO_TEST_DATA)")
    return folder
