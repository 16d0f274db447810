"""``risk web``: start the staff's page, a process and a port of its own."""

from __future__ import annotations

import logging

import click


@click.command("web")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), default=8053, show_default=True)
@click.option("--dev", is_flag=True, help="Try it out on this machine, over plain HTTP: no secret is asked for.")
def command(host: str, port: int, dev: bool) -> None:
    """Start the page on which staff read the week's lists and answer; stop it with Ctrl-C.

    It shows what 'risk list' has put into the store, to those whom 'risk users add' has let in. It starts when RISK_WEB_KEY
    is set, and its cookies need HTTPS before it; --dev does without both, on this machine only. See docs/web.md.
    """
    import uvicorn

    from serving.listening import check_port, server_options
    from serving.settings import read_settings
    from serving.start import check_host
    from serving.web.app import create_web

    settings = read_settings(environment="development" if dev else None)
    check_host(settings, host)
    check_port(host, port)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("risk.serving", "risk.web"):
        logging.getLogger(name).setLevel(logging.INFO)
    app = create_web(settings)
    click.echo(f"The staff's page is on http://{host}:{port}; stop with Ctrl-C")
    if settings.environment == "development":
        click.echo("Development: for made-up cases on this machine, not for real ones.")
    uvicorn.run(app, **server_options(host, port))
