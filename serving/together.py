"""Requests that are here together are scored together and recorded together, and none of them can harm another.

One evaluation of the model and one sync of the disk then serve all of them: for a few cases both cost about as much as for one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent import futures
from dataclasses import dataclass

from risk.errors import StoreError
from serving.access import Caller
from serving.answers import Answered
from serving.answers_many import AnsweredMany
from serving.inservice import InService
from serving.messages import Row
from serving.store.ledger import Submission, Written
from serving.store.writer import Told

# So many turns of the loop without a new request, and at most so many together.
QUIET_TURNS, MOST_TOGETHER = 3, 64


@dataclass(frozen=True)
class Asked:
    """One request as it was read, waiting to be scored."""

    rows: list[Row]
    model: InService
    caller: Caller
    request_id: str
    repeats: tuple[str, str] | None  # the Idempotency-Key and what was asked under it


@dataclass(frozen=True)
class Made:
    """A request scored and not yet recorded; its answer in JSON, or as an Arrow stream."""

    answer: Answered | AnsweredMany
    submission: Submission
    body: bytes


Coming = asyncio.Future[tuple[Made, Written]]


class Together:
    """Gathers small requests for as long as new ones come in.

    Parameters
    ----------
    score : scores requests of one model together
    submit : hands over to the ledger (:meth:`serving.store.writer.Writer.submit`)
    """

    def __init__(
        self, score: Callable[[Sequence[Asked]], list[Made]], submit: Callable[[Sequence[Submission], Told], None]
    ) -> None:
        self._score, self._submit = score, submit
        self._waiting: list[tuple[Asked, Coming]] = []

    async def turn(self, asked: Asked) -> tuple[Made, Written]:
        """Be scored with everyone who is coming in just now, and recorded with them.

        Raises
        ------
        StoreError
            Nothing was recorded.
        """
        loop = asyncio.get_running_loop()
        coming: Coming = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._gather, loop, 0, 0)
        self._waiting.append((asked, coming))
        return await coming

    def _gather(self, loop: asyncio.AbstractEventLoop, n_before: int, n_quiet: int) -> None:
        """Score those who wait once nobody new has come for a few turns of the loop, each a few microseconds.

        Answers that were recorded together go out together, so the next requests of their callers come in together too.
        """
        n_here = len(self._waiting)
        n_quiet = n_quiet + 1 if n_here == n_before else 0
        if n_quiet >= QUIET_TURNS or n_here >= MOST_TOGETHER:
            self._score_waiting(loop)
        else:
            loop.call_soon(self._gather, loop, n_here, n_quiet)

    def _score_waiting(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        for model in {id(asked.model): asked.model for asked, _ in waiting}.values():
            self._score_group([one for one in waiting if one[0].model is model], loop)

    def _score_group(self, group: list[tuple[Asked, Coming]], loop: asyncio.AbstractEventLoop) -> None:
        try:
            made = self._score([asked for asked, _ in group])
        except Exception as why:
            if len(group) == 1:
                _tell_all([group[0][1]], why)
                return
            for one in group:  # what breaks on one request must not break another
                self._score_group([one], loop)
            return
        self._hand_over([(one, future) for one, (_, future) in zip(made, group, strict=True)], loop)

    def begin(self, submission: Submission) -> futures.Future[Written]:
        """Begin to record what was scored elsewhere; called from any thread, which may go on meanwhile.

        Raises
        ------
        StoreError
            The ledger is closed; the future raises it when nothing was recorded.
        """
        coming: futures.Future[Written] = futures.Future()
        coming.set_running_or_notify_cancel()  # a caller who goes away does not stop what is being written

        def told(outcomes: list[Written] | StoreError) -> None:
            if isinstance(outcomes, StoreError):
                coming.set_exception(outcomes)
            else:
                coming.set_result(outcomes[0])

        if submission.entries or submission.repeatable is not None:
            self._submit([submission], told)
        else:  # nothing in it could be read, and nobody was scored
            coming.set_result(Written())
        return coming

    def _hand_over(self, group: list[tuple[Made, Coming]], loop: asyncio.AbstractEventLoop) -> None:
        """Give the ledger what was scored together, in one go: one transaction, one sync."""
        kept = []
        for made, coming in group:
            if made.submission.entries or made.submission.repeatable is not None:
                kept.append((made, coming))
            else:  # nothing in it could be read, and nobody was scored
                _tell_all([coming], [(made, Written())])
        if not kept:
            return
        futures = [coming for _, coming in kept]

        def told(outcomes: list[Written] | StoreError) -> None:
            if isinstance(outcomes, StoreError):
                loop.call_soon_threadsafe(_tell_all, futures, outcomes)
            else:
                answers = [(made, written) for (made, _), written in zip(kept, outcomes, strict=True)]
                loop.call_soon_threadsafe(_tell_all, futures, answers)

        try:
            self._submit([made.submission for made, _ in kept], told)
        except StoreError as why:
            _tell_all(futures, why)


def _tell_all(futures: Sequence[Coming], outcomes: Sequence[tuple[Made, Written]] | Exception) -> None:
    for i, future in enumerate(futures):
        if future.done():  # the caller has gone; what was recorded stays recorded
            continue
        if isinstance(outcomes, Exception):
            future.set_exception(outcomes)
        else:
            future.set_result(outcomes[i])
