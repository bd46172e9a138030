"""The service: models behind HTTP, for programs and for people."""

from wordgeo.service.config import ServiceConfig

__all__ = ["ServiceConfig", "create_app", "serve"]


def create_app(config: ServiceConfig):  # type: ignore[no-untyped-def]
    """The ASGI application of these settings, to be run by uvicorn or mounted elsewhere.

    Raises `MissingExtraError` without the extra `serve`, and what loading the models raises.
    """
    from wordgeo.service.app import build

    return build(config)


def serve(config: ServiceConfig) -> None:
    """Serves until the process is told to end (SIGTERM, SIGINT). Raises as `create_app`, and `OutputError` for a
    port that is taken."""
    from wordgeo.service.server import run

    run(config)
