"""What runs here: versions, instruction set, threads, BLAS."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path

from wordgeo import _fast
from wordgeo._version import __version__
from wordgeo.instructions import choose_instruction_set
from wordgeo.results import Result, Table
from wordgeo.threads import limit_blas, resolve_threads

__all__ = ["SystemInfo", "available_memory", "package_versions", "system_info"]

PACKAGES = ("gensim", "numpy", "scipy")


@dataclass(frozen=True, repr=False)
class SystemInfo(Result):
    """The machine and the packages, as `wordgeo info --system` prints them."""

    wordgeo: str
    python: str
    packages: dict[str, str]
    platform: str
    processor: str
    cores: int
    threads: int
    instruction_set: str
    instruction_sets: tuple[str, ...]
    blas: tuple[str, ...]

    def tables(self) -> list[Table]:
        """One row a fact."""
        versions = [(name, version) for name, version in self.packages.items()]
        rows = [
            ("wordgeo", self.wordgeo),
            ("python", self.python),
            *versions,
            ("platform", self.platform),
            ("processor", self.processor),
            ("cores of this process", str(self.cores)),
            ("threads by default", str(self.threads)),
            ("instruction set in use", self.instruction_set),
            ("instruction sets here", ", ".join(self.instruction_sets)),
            *(("BLAS", library) for library in self.blas),
        ]
        return [Table(("what", "value"), rows)]


def package_versions() -> dict[str, str]:
    """Versions of the packages that a result can depend on."""
    return {name: importlib.metadata.version(name) for name in PACKAGES}


def available_memory() -> int | None:
    """Bytes that this machine says are free for new work; None where it does not say."""
    try:
        with Path("/proc/meminfo").open(encoding="ascii") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except (OSError, ValueError):
        pass
    return None


def system_info() -> SystemInfo:
    """Facts about this process; raises `OptionError` if an environment variable of wordgeo has a wrong value."""
    limit_blas()
    from threadpoolctl import threadpool_info

    libraries = tuple(
        f"{found['internal_api']} {found['version']} ({found.get('architecture', 'unknown')}), "
        f"{found['num_threads']} thread(s), {Path(found['filepath']).name}"
        for found in threadpool_info()
        if found["user_api"] == "blas"
    )
    return SystemInfo(
        wordgeo=__version__,
        python=platform.python_version(),
        packages=package_versions(),
        platform=platform.platform(),
        processor=_processor(),
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        threads=resolve_threads(),
        instruction_set=choose_instruction_set(),
        instruction_sets=tuple(_fast.instruction_sets()),
        blas=libraries,
    )


def _processor() -> str:
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
            for line in lines:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
