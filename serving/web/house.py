"""What every request is about: the house it comes to, who comes, and how it is turned away."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from starlette.responses import Response

from serving.language import Speaker
from serving.settings import Settings
from serving.store.accounts import Account
from serving.store.engine import Store
from serving.web.recent import RecentLists


@dataclass(frozen=True)
class House:
    """What the pages stand on: the store, the lists read lately, the secret of forms and case addresses, and the clock."""

    store: Store
    key: bytes
    settings: Settings
    now: Callable[[], datetime]
    lists: RecentLists

    @property
    def is_secure(self) -> bool:
        return self.settings.environment == "production"

    @property
    def session_cookie(self) -> str:
        return "__Host-risk52_session" if self.is_secure else "risk52_session"

    @property
    def form_cookie(self) -> str:
        return "__Host-risk52_form" if self.is_secure else "risk52_form"

    def form_token(self, browser: str) -> str:
        """What a form of this browser (its session, or its form cookie) carries."""
        return hmac.new(self.key, b"form\x1f" + browser.encode(), hashlib.sha256).hexdigest()

    def case_key(self, case_id: str) -> str:
        """The name of a case in an address: no log or history of the way there tells which case it was."""
        return hmac.new(self.key, b"case\x1f" + case_id.encode(), hashlib.sha256).hexdigest()[:24]

    def set_cookie(self, response: Response, name: str, value: str, max_age: int | None = None) -> None:
        response.set_cookie(name, value, max_age, path="/", secure=self.is_secure, httponly=True, samesite="strict")


@dataclass(frozen=True)
class Visit:
    """One request: who asks (None: nobody signed in), in what language, and from which browser."""

    account: Account | None
    speaker: Speaker
    browser: str
    is_new_browser: bool
    had_session: bool


class Refusal(Exception):
    """Ends a request with the page of a problem; ``kind`` is a key of the texts ``web_problem``."""

    def __init__(self, status: int, kind: str, retry_after: int = 0) -> None:
        super().__init__(kind)
        self.status, self.kind, self.retry_after = status, kind, retry_after
