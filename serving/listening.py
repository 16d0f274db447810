"""Whether a place can be listened on, asked before anything is said to be there."""

from __future__ import annotations

import socket

from risk.errors import ConfigError


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
