"""The desk where requests are scored: in turn, recorded, and only then answered."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
import threading
from collections.abc import Callable, Sequence
from concurrent import futures
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from itertools import islice

from fastapi import Request

from risk.errors import StoreError
from serving.access import Caller
from serving.answers import Answered, Outcome, answer
from serving.answers_many import answer_many
from serving.arrow_in import MEDIA_TYPE as ARROW
from serving.arrow_out import stream_of
from serving.bands import Bands
from serving.champion import Champion
from serving.counting import Counts
from serving.inservice import InService
from serving.messages import could_name_a_person
from serving.opening import Limits, Opening
from serving.problems import Refused
from serving.reading import read_body
from serving.recording import now, record
from serving.settings import Settings
from serving.start import Behind
from serving.store.ledger import Entry, Repeatable, Submission, Written, find
from serving.store.writer import Writer
from serving.together import Asked, Made, Together

# Requests up to here are scored with those of whoever asks at the same time, case by case, and each case has a row of the
# ledger. Larger ones and all Arrow streams are scored in columns and recorded in one row: a request then costs 1 ms more and
# a case less than half: some twenty cases (10 kB) cost the same either way, and fewer hold up the loop for 2 ms at most.
SMALL_BYTES = 8_192
_REPEAT_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")
_SCORE_ID = re.compile(r"[0-9a-f]{32}")


class Desk:
    """Takes requests in turn: so many are scored at a time, so many wait, and the rest are told to come back."""

    def __init__(
        self, champion: Champion, settings: Settings, behind: Behind, counts: Counts, today: Callable[[], date]
    ) -> None:
        self.champion, self.settings, self._opening = champion, settings, Opening(settings, today)
        self._store, self._counts = behind.store, counts
        self._writer: Writer | None = None
        self._together = Together(self._score, lambda group, told: self.writer().submit(group, told))
        self._seals, self.bands = behind.seals, Bands(behind.store)
        self._threads = ThreadPoolExecutor(settings.threads, thread_name_prefix="score")
        self._here = 0

    def open(self) -> None:
        self._writer = Writer(self._store, self._seals)
        # All threads from the start: one that came only when large requests first met would make memory grow late.
        everyone = threading.Barrier(self.settings.threads)
        list(self._threads.map(lambda _: everyone.wait(), range(self.settings.threads)))

    def n_here(self) -> int:
        return self._here

    def is_recording(self) -> bool:
        return self._writer is not None and self._writer.trouble is None

    def close(self) -> None:
        """Finish what was begun; what is recorded already will still be answered."""
        self._threads.shutdown()
        if self._writer is not None:
            self._writer.close()

    def writer(self) -> Writer:
        """The ledger's writer.

        Raises
        ------
        StoreError
            The service has not started yet.
        """
        if self._writer is None:
            raise StoreError("the ledger is not open yet")
        return self._writer

    def model(self) -> InService:
        """The model in service now.

        Raises
        ------
        Refused
            503 when there is none.
        """
        if self.champion.current is None:
            raise Refused("not-ready")
        return self.champion.current

    async def score(self, request: Request, limits: Limits) -> bytes:
        """Read a request, score it, record it, and only then answer.

        Returns
        -------
        bytes
            The body of the answer, JSON of :class:`serving.answers.ScoresAnswer`.

        Raises
        ------
        Refused
            With the problem the caller is told.
        StoreError
            What could not be recorded is not answered.
        """
        made, written = await self._answered(request, limits)
        return made.body if written.earlier is None else written.earlier.encode()

    async def score_stream(self, request: Request, limits: Limits) -> bytes:
        """The same for an Arrow stream (:mod:`serving.arrow_in`), answered with one (:mod:`serving.arrow_out`)."""
        made, written = await self._answered(request, replace(limits, media=ARROW))
        return made.body if written.earlier is None else base64.b64decode(written.earlier)

    async def _answered(self, request: Request, limits: Limits) -> tuple[Made, Written]:
        """What was made of a request, and what became of it in the ledger.

        Raises
        ------
        Refused
            With the problem the caller is told.
        StoreError
            What could not be recorded is not answered.
        """
        model, repeat_key = self.model(), _repeat_key(request)
        # Before a place is taken: a caller who sends slowly must not keep others waiting.
        body = await read_body(request, self.settings.max_body_bytes, limits.media)
        if self._here >= self.settings.threads + self.settings.queue:
            raise Refused("busy")
        self._here += 1
        try:
            state = request.scope["state"]
            caller, called = state["caller"], state["request_id"]
            repeats = None if repeat_key is None else (repeat_key, _digest(request.scope["path"], body))
            if len(body) > SMALL_BYTES or limits.media == ARROW:
                work = (body, model, caller, called, repeats, limits)
                made, writing = await asyncio.get_running_loop().run_in_executor(self._threads, self._make, *work)
                written = await asyncio.wrap_future(writing)
            else:
                # Few cases are scored here, with those of whoever asks at the same time: a thread would cost as much again.
                made, written = await self._together.turn(
                    Asked(self._opening.read(body, limits), model, caller, called, repeats)
                )
            statuses = made.answer.statuses
            state["n_cases"] = len(statuses)
            if written.is_clash:
                raise Refused("key-reused")
            if written.earlier is None:
                self._counts.scored(statuses)
            return made, written
        finally:
            self._here -= 1

    def _make(
        self,
        body: bytes,
        model: InService,
        caller: Caller,
        called: str,
        repeats: tuple[str, str] | None,
        limits: Limits,
    ) -> tuple[Made, futures.Future[Written]]:
        """A large request: read, scored and put into words in columns, while the ledger writes it down."""
        cuts = self.bands.of(caller.office)
        told = answer_many(self._opening.read_many(body, limits), model, self.settings.n_reasons, cuts, called)
        entries, is_stream = told.entries(caller), limits.media == ARROW
        submission = _submission(entries, caller, None, "")
        # The ledger writes while the answer is laid out; it is sent when both are done.
        writing = self._together.begin(submission) if repeats is None else None
        answered = stream_of(told) if is_stream else told.body()
        if writing is None:  # an answer that may be asked for again is kept with what it says
            kept = base64.b64encode(answered).decode() if is_stream else answered.decode()
            submission = _submission(entries, caller, repeats, kept)
            writing = self._together.begin(submission)
        return Made(told, submission, answered), writing

    def _score(self, group: Sequence[Asked]) -> list[Made]:
        """Score requests together; they have one model."""
        rows = [row for asked in group for row in asked.rows]
        cuts = [cut for asked in group for cut in [self.bands.of(asked.caller.office)] * len(asked.rows)]
        told = iter(answer(rows, group[0].model, self.settings.n_reasons, cuts))
        at = now()
        return [_made(asked, list(islice(told, len(asked.rows))), at) for asked in group]

    async def replay(self, score_id: str, caller: Caller) -> str:
        """The outcome of a past score, to the letter as it was answered.

        Raises
        ------
        Refused
            404 when there is none that the caller's office may see, 410 when it was erased.
        """
        past = await asyncio.to_thread(find, self._store, score_id) if _SCORE_ID.fullmatch(score_id) else None
        if past is None or not caller.sees(past.link.office):
            raise Refused("not-found")
        if past.output is None:
            raise Refused("erased")
        return past.output


def _made(asked: Asked, outcomes: list[Outcome], at: str) -> Made:
    told = Answered(asked.request_id, asked.model.version, outcomes)
    entries, body = record(outcomes, asked.model.version, asked.caller, asked.request_id, at), told.body()
    return Made(told, _submission(entries, asked.caller, asked.repeats, body), body.encode())


def _submission(entries: list[Entry], caller: Caller, repeats: tuple[str, str] | None, answered: str) -> Submission:
    return Submission(entries, None if repeats is None else Repeatable(caller.name, *repeats, answered))


def _digest(path: str, body: bytes) -> str:
    return hashlib.sha256(path.encode() + b"\n" + body).hexdigest()


def _repeat_key(request: Request) -> str | None:
    """The Idempotency-Key, when there is one.

    Raises
    ------
    Refused
        400 when it is not one, or could name a person.
    """
    given = [value.decode("latin-1") for name, value in request.scope["headers"] if name == b"idempotency-key"]
    if not given:
        return None
    if len(given) > 1 or not _REPEAT_KEY.fullmatch(given[0]) or could_name_a_person(given[0]):
        raise Refused("bad-header")
    return given[0]
