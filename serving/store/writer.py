"""Group commit: requests that finish at about the same time share one transaction and one sync to the disk.

One thread writes. While it waits for the disk, the next requests gather; so the more there is to do, the more goes into a
transaction, and a lone request waits for nobody. A submission is acknowledged only after its transaction is committed.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence

from risk.errors import StoreError
from serving.store.engine import Store
from serving.store.held import Held
from serving.store.ledger import Seals, Submission, Written, append

MOST_AT_ONCE = 256
Told = Callable[[list[Written] | StoreError], None]
log = logging.getLogger("risk.serving")


class Writer:
    """Writes submissions to the ledger, in the order they were handed over.

    Attributes
    ----------
    trouble : str or None
        What the last transaction failed of; None when it was committed.
    """

    def __init__(self, store: Store, seals: Seals) -> None:
        self._held, self._seals = Held(store), seals
        self._waiting: queue.SimpleQueue[tuple[Sequence[Submission], Told] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._is_open = True
        self.trouble: str | None = None
        self._thread = threading.Thread(target=self._run, name="ledger", daemon=True)
        self._thread.start()

    def submit(self, submissions: Sequence[Submission], told: Told) -> None:
        """Hand over submissions that finished together.

        Parameters
        ----------
        told : called from the writer's thread, once they are on the disk, or with the error that kept all of them from it

        Raises
        ------
        StoreError
            The writer is closed.
        """
        with self._lock:
            if not self._is_open:
                raise StoreError("the ledger is closed; nothing was recorded")
            self._waiting.put((submissions, told))

    def close(self) -> None:
        """Write what was handed over, then stop."""
        with self._lock:
            if self._is_open:
                self._is_open = False
                self._waiting.put(None)
        self._thread.join()

    def _run(self) -> None:
        is_last = False
        while not is_last:
            group = [self._waiting.get()]
            with contextlib.suppress(queue.Empty):
                while group[-1] is not None and len(group) < MOST_AT_ONCE:
                    group.append(self._waiting.get_nowait())
            is_last = group[-1] is None
            self._write([one for one in group if one is not None])
        self._held.close()

    def _write(self, group: list[tuple[Sequence[Submission], Told]]) -> None:
        if not group:
            return
        try:
            everything = [one for submissions, _ in group for one in submissions]
            written = self._held.write(lambda pen: append(pen, everything, self._seals))
        except BaseException as why:  # whoever waits is told, whatever it was; the thread must outlive it
            self._tell(why)
            failure = why if isinstance(why, StoreError) else StoreError("nothing was recorded")
            for _, told in group:
                self._call(told, failure)
            return
        self.trouble = None
        for submissions, told in group:
            self._call(told, written[: len(submissions)])
            written = written[len(submissions) :]

    def _call(self, told: Told, outcome: list[Written] | StoreError) -> None:
        try:
            told(outcome)
        except Exception as why:  # one who is no longer there must not keep the others from being told
            log.error("a recorded score could not be answered (%s)", type(why).__name__)

    def _tell(self, why: BaseException) -> None:
        said = str(why) if isinstance(why, StoreError) else type(why).__name__
        if self.trouble != said:  # say it once, not at every request
            log.error("the ledger was not written: %s", said)
        self.trouble = said
