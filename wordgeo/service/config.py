"""What a service is told: models, address, limits. Every field is an option of `wordgeo serve` and of its file."""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import tomllib
from pathlib import Path
from typing import Any

from wordgeo.errors import FormatError, NotFoundError, OptionError
from wordgeo.validate import number, whole_number

__all__ = ["ServiceConfig"]

MiB = 1 << 20


@dataclasses.dataclass(frozen=True)
class ServiceConfig:
    """A service's settings, checked as they are made.

    `models` are paths of models, `folder` one whose models are all served, also those that come later. `workers` are
    processes, `threads` those of the engine in each (None: the cores shared among workers). Times are in seconds,
    sizes in bytes. `keys` is a file of API keys (see `wordgeo.service.keys`); `without_keys` serves other machines
    without. `rate` is how many requests a second one key may make (None: any). `origins` are those that a browser may
    ask from (CORS), none by default. `jobs` is the folder of evaluations (None: a temporary one). A new time on the
    file `generation` reloads every model. `access_log` is a file, "-" for standard error or "off". `drain` is how long
    the service goes on after it was told to end, while /readyz already says so; `grace` how long accepted requests may
    then still take.
    """

    models: tuple[str, ...] = ()
    folder: str | None = None
    host: str = "127.0.0.1"
    port: int = 8080
    workers: int = 1
    threads: int | None = None
    allow_vectors: bool = False
    keys: str | None = None
    without_keys: bool = False
    rate: float | None = None
    origins: tuple[str, ...] = ()
    max_body: int = MiB
    max_batch: int = 1000
    max_k: int = 1000
    max_queue: int = 4096
    max_connections: int = 1024
    max_headers: int = 16384
    max_jobs: int = 8
    deadline: float = 5.0
    read_timeout: float = 10.0
    idle_timeout: float = 30.0
    cache: int = 4096
    jobs: str | None = None
    generation: str | None = None
    reload_every: float = 2.0
    access_log: str = "-"
    drain: float = 0.0
    grace: float = 10.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "models", tuple(map(str, self.models)))
        object.__setattr__(self, "origins", tuple(self.origins))
        if not self.models and self.folder is None:
            raise OptionError("there is no model to serve; name one or more, or a folder of them (--folder)")
        if not self.host:
            raise OptionError("host is empty; give an address such as 127.0.0.1")
        whole_number("port", self.port, 0, 65535)
        whole_number("workers", self.workers, 1, 256)
        if self.threads is not None:
            whole_number("threads", self.threads, 1, 1024)
        for name in ("max_body", "max_batch", "max_k", "max_queue", "max_connections", "max_jobs"):
            whole_number(name, getattr(self, name), 1)
        if self.max_queue < self.max_batch:
            raise OptionError(
                f"max_queue is {self.max_queue}, less than one batch (max_batch {self.max_batch}); raise it"
            )
        whole_number("max_headers", self.max_headers, 1024)
        whole_number("cache", self.cache, 0)
        for name in ("deadline", "read_timeout", "idle_timeout", "reload_every"):
            number(name, getattr(self, name), 0.05)
        number("drain", self.drain, 0)
        number("grace", self.grace, 0)
        if self.rate is not None:
            number("rate", self.rate, 0.01)
        for origin in self.origins:
            if not re.fullmatch(r"https?://[^/\s]+", origin):
                raise OptionError(f"origins has {origin!r}; give what browsers send, such as https://lab.example")
        if not self.is_local and self.keys is None and not self.without_keys:
            raise OptionError(
                f"host is {self.host}, which other machines can reach; give a file of API keys (--keys), or say that "
                "none are wanted (--without-keys)"
            )

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the address."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    @classmethod
    def read(cls, path: str | Path | None, **given: Any) -> ServiceConfig:
        """The settings of a TOML file, over which `given` win (what is None or empty is not given).

        Raises `NotFoundError`, `FormatError` for what is no TOML, `OptionError` for a name or value no field takes.
        """
        settings = {} if path is None else _toml(Path(path))
        settings |= {name: value for name, value in given.items() if value is not None and value != ()}
        known = {field.name: field for field in dataclasses.fields(cls)}
        for name, value in settings.items():
            if name not in known:
                raise OptionError(f"{name} is no setting of the service; there are {', '.join(known)}")
            wanted = _KINDS[str(known[name].type).removesuffix(" | None")]
            if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
                raise OptionError(f"{name} is {value!r}; give {known[name].type}")
            if isinstance(value, (list, tuple)) and not all(isinstance(one, str) for one in value):
                raise OptionError(f"{name} is {value!r}; give a list of strings")
        return cls(**settings)


_KINDS: dict[str, tuple[type, ...]] = {
    "str": (str,),
    "int": (int,),
    "float": (int, float),
    "bool": (bool,),
    "tuple[str, ...]": (list, tuple),
}


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"{path} does not exist; name a TOML file of settings") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as problem:
        raise FormatError(f"not TOML: {problem}", path) from None
