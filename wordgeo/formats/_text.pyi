"""Types of the compiled parser: all unknown."""

from typing import Any

def __getattr__(name: str) -> Any: ...
