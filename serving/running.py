"""Running the service: in this process, or in several that share the port, the store and the counts.

Workers are started afresh (spawn), never forked: LightGBM must not be forked after it ran. What they share is the ledger,
whose chain the database keeps in one line, and the folder in which each counts for ``/metrics``. Rate limits and the queue
are each worker's own.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable
from tempfile import TemporaryDirectory

from fastapi import FastAPI

from serving.counting import SHARED_COUNTS
from serving.lines import Lines, Stamped
from serving.listening import check_port, server_options
from serving.settings import Settings, read_settings
from serving.start import check_host, open_behind


def run(settings: Settings, host: str, port: int, workers: int = 1, begin: Callable[[], None] = lambda: None) -> None:
    """Serve until told to stop; what was begun by then is answered first.

    Parameters
    ----------
    begin : called when everything was found in order, just before listening

    Raises
    ------
    ConfigError, StoreError
        As :func:`serving.listening.check_port` and :func:`serving.api.create_app`, before any worker is started.
    """
    import uvicorn

    check_host(settings, host)
    check_port(host, port)
    given = server_options(host, port)
    if workers == 1:
        _log("")
        app = _app(settings)
        begin()
        uvicorn.run(app, **given)
        return
    open_behind(settings).close()  # refuses here, in one line, what every worker would refuse
    _log(f"{os.getpid()} ")
    # A worker reads its settings for itself; what the command line said must not get lost on the way.
    os.environ.update({"RISK_MODEL": settings.model, "RISK_ENVIRONMENT": settings.environment})
    with TemporaryDirectory(prefix="risk-counts-") as folder:
        os.environ[SHARED_COUNTS] = folder
        begin()
        uvicorn.run("serving.running:worker", factory=True, workers=workers, **given)


def worker() -> FastAPI:
    """The application of one worker, with its settings from the environment."""
    _log(f"{os.getpid()} ")
    return _app(read_settings())


def _app(settings: Settings) -> FastAPI:
    from serving.api import create_app

    return create_app(settings)


def _log(who: str) -> None:
    handler = Lines()
    handler.setFormatter(Stamped(who))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger("risk.serving").setLevel(logging.INFO)
    # No line names its thread or the place in the code that wrote it, and of several processes each knows its own name: what
    # is not told need not be looked up for each line ("Optimization" in the documentation of logging).
    logging.logThreads = logging.logMultiprocessing = logging.logProcesses = False
    logging._srcfile = None
