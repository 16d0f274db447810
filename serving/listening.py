"""How the services listen, and whether a place can be listened on, asked before anything is said to be there."""

from __future__ import annotations

import socket
from typing import Any

from risk.errors import ConfigError

GRACE_SECONDS = 30
# Longer than a proxy keeps an idle connection (nginx: 60 s), so that none is closed just as the next request goes out on it.
IDLE_SECONDS = 75


def server_options(host: str, port: int) -> dict[str, Any]:
    """What both services ask of the server."""
    from serving.connection import Bounded

    return {
        "host": host, "port": port, "http": Bounded, "ws": "none", "server_header": False,
        # The server's own lines would hold addresses as they were asked for; each service writes its own line.
        "access_log": False, "log_config": None,
        "timeout_keep_alive": IDLE_SECONDS, "timeout_graceful_shutdown": GRACE_SECONDS,
    }  # fmt: skip


def check_port(host: str, port: int) -> None:
    """Refuse a port that another process has, or an address that is not one of this machine.

    Raises
    ------
    ConfigError
    """
    try:
        kind, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        with socket.socket(kind, socket.SOCK_STREAM) as tried:
            # As the server does: what a server that stopped a moment ago leaves behind is no reason to refuse.
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind(place)
    except OSError as why:
        raise ConfigError(
            f"cannot listen on {host}:{port} ({why.strerror}); stop what is there, or choose another --port"
        ) from None
