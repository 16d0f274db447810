"""The staff's page in a real browser: one server and one Chromium for each file of tests, made-up lists in the store."""

from __future__ import annotations

import importlib.util
import shutil
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from models.bundle import Bundle
from serving.settings import Settings
from serving.store.engine import open_store
from serving.web.app import create_web

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def _made_by_hand() -> ModuleType:
    """The lists and staff of the faster tests; test folders are no packages, so their file is read by its path."""
    path = Path(__file__).parents[1] / "serving" / "web" / "conftest.py"
    spec = importlib.util.spec_from_file_location("weeks_by_hand", path)
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made
    spec.loader.exec_module(made)
    return made


@pytest.fixture(scope="module")  # not the session: its event loop would stand in the way of every later asyncio.run
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine (Debian: apt-get install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def site(
    chromium: Browser, small_bundle: Bundle, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, ModuleType]]:
    """The address of a running page, and what its store was made from."""
    made, folder = _made_by_hand(), tmp_path_factory.mktemp("site")
    store = open_store(f"sqlite:///{folder / 'store.db'}")
    made.fill(store)
    store.close()
    model = small_bundle.save(folder / "bundle")
    settings = Settings(
        store=f"sqlite:///{folder / 'store.db'}",
        environment="development",
        model=str(model),
        sign_in_rate="1000/minute",
    )
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port = listening.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(create_web(settings, made.Clock()), log_config=None, access_log=False))
        running = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        running.start()
        until = time.monotonic() + 60
        while not server.started:
            assert time.monotonic() < until, "the page did not start"
            time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", made
        server.should_exit = True
        running.join()


@pytest.fixture
def visit(chromium: Browser, site: tuple[str, ModuleType]) -> Iterator[Callable[..., Page]]:
    """Open a window, with somebody signed in when named; what the browser complains of fails the test."""
    address, made = site
    opened: list[BrowserContext] = []
    complaints: list[str] = []

    def _visit(name: str = "", language: str = "da", width: int = 1280, scripts: bool = True) -> Page:
        context = chromium.new_context(
            base_url=address, viewport={"width": width, "height": 900}, java_script_enabled=scripts
        )
        context.set_default_timeout(60_000)
        opened.append(context)
        context.add_cookies([{"name": "risk52_language", "value": language, "url": address}])
        page = context.new_page()
        page.on("console", lambda told: complaints.append(told.text) if "Security Policy" in told.text else None)
        page.on("pageerror", lambda told: complaints.append(str(told)))
        if name:
            page.goto("/sign-in")
            page.fill("#name", name)
            page.fill("#password", made.PASSWORD)
            page.click("main button")
            page.wait_for_url(lambda url: "/sign-in" not in url)
        return page

    yield _visit
    for context in opened:
        context.close()
    assert not complaints
