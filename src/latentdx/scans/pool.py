"""`Pool`: decoding processes, the files that wait for one, and results that wait for their turn."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from multiprocessing.connection import Connection, wait

from latentdx.core.errors import InputError, LatentdxError
from latentdx.scans.limits import Limits
from latentdx.scans.request import Request
from latentdx.scans.scan import Scan
from latentdx.scans.wire import (
    Outcome,
    Task,
    order_message,
    receive_json,
    receive_outcome,
    send_json,
)

RECYCLED_AFTER = 2000
"""Files after which a worker is replaced by a new one."""

Order = tuple[Task, Request]

_QUEUED = 8  # files a worker holds: it never waits for its parent between small ones
_AHEAD_BYTES = 256 << 20  # decoded pixels kept while an earlier file is still being decoded
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Job:
    """A file, or the files of a series, the mask that goes with it, and its place in the order."""

    index: int
    paths: tuple[str, ...]
    mask: str | None = None

    @property
    def path(self) -> str:
        """The name that errors get."""
        return self.paths[0]


@dataclass(eq=False)
class Worker:
    """One process and the files it holds, the first of which it is decoding."""

    process: subprocess.Popen[bytes]
    connection: Connection
    order: Order
    jobs: deque[Job] = field(default_factory=deque)
    is_ready: bool = False
    n_given: int = 0
    since: float = field(default_factory=time.monotonic)

    @classmethod
    def start(cls, order: Order, limits: Limits) -> Worker:
        """A new process, told what is wanted."""
        ours, theirs = socket.socketpair()
        with theirs:
            # -P: a folder called "pydicom" where the user stands must not be imported.
            command = [sys.executable, "-P", "-m", "latentdx.scans.worker", str(theirs.fileno())]
            process = subprocess.Popen(
                command,
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
            )
        worker = cls(process, Connection(ours.detach()), order)
        with contextlib.suppress(OSError):  # dead at once: the first `wait` will tell
            send_json(worker.connection, asdict(limits))
            send_json(worker.connection, order_message(*order))
        return worker

    def give(self, job: Job, order: Order) -> None:
        """One more file. Raises `OSError` where the process is dead."""
        if order is not self.order:
            send_json(self.connection, order_message(*order))
            self.order = order
        send_json(self.connection, (job.paths, job.mask))
        if not self.jobs:
            self.since = time.monotonic()
        self.jobs.append(job)
        self.n_given += 1

    @property
    def is_spent(self) -> bool:
        """Whether it gets no more files: what decoders leak ends with their process."""
        return self.n_given >= RECYCLED_AFTER

    def kill(self) -> int:
        """End the process; minus its signal, or its exit code, where it ended by itself."""
        self.connection.close()
        self.process.kill()  # does nothing to a process that has ended
        return self.process.wait()


class Pool:
    """Workers, files waiting for one, and results waiting for their turn."""

    def __init__(self, limits: Limits, size: int) -> None:
        self._limits, self._size = limits, size
        self._workers: list[Worker] = []
        self._returned: deque[Job] = deque()  # files of a worker that died before their turn
        self._results: dict[int, Outcome] = {}
        self._ahead_bytes = self._next = self._given = 0

    def run(
        self,
        task: Task,
        request: Request,
        groups: Iterable[Sequence[str]],
        masks: Mapping[str, str] | None = None,
    ) -> Iterator[tuple[int, Outcome]]:
        """Outcomes in the order of the groups; one run must end before the next begins.

        `masks` are files of masks by the first path of the group that they belong to.
        """
        masks = masks or {}
        self._order = (task, request)
        self._ahead_bytes = self._next = self._given = 0
        jobs = (Job(index, tuple(paths), masks.get(paths[0])) for index, paths in enumerate(groups))
        while True:
            self._fill(jobs)
            if self._next in self._results:
                yield self._next, self._take()
            elif any(worker.jobs for worker in self._workers):
                self._collect()
            elif not self._returned:
                return

    def warm(self) -> None:
        """Start all processes now, so that they are ready when the first file comes."""
        while len(self._workers) < self._size:
            self._workers.append(Worker.start(("read", Request()), self._limits))

    def close(self) -> None:
        """End all processes."""
        for worker in self._workers:
            worker.kill()
        self._workers.clear()

    def _take(self) -> Outcome:
        outcome = self._results.pop(self._next)
        self._next += 1
        self._ahead_bytes -= _size(outcome)
        return outcome

    def _fill(self, jobs: Iterator[Job]) -> None:
        """Hand out files, those of dead workers first, within the window of results ahead."""
        while self._returned or self._given - self._next < self._size * _QUEUED:
            job = self._returned.popleft() if self._returned else next(jobs, None)
            if job is None:
                return
            self._given = max(self._given, job.index + 1)
            if not self._give(job):
                self._returned.appendleft(job)
                return

    def _give(self, job: Job) -> bool:
        """To the worker with the fewest files, or a new one; False where none can take it."""
        for spent in [worker for worker in self._workers if worker.is_spent and not worker.jobs]:
            self._workers.remove(spent)
            spent.kill()
        able = [worker for worker in self._workers if not worker.is_spent]
        if not able and len(self._workers) >= self._size:
            return False
        worker = min(able, key=lambda worker: len(worker.jobs), default=None)
        if worker is None or (worker.jobs and len(self._workers) < self._size):
            worker = Worker.start(self._order, self._limits)
            self._workers.append(worker)
        # Many paths fill the socket: they wait until their worker is listening.
        if len(worker.jobs) >= _QUEUED or (worker.jobs and len(job.paths) > _QUEUED):
            return False
        try:
            worker.give(job, self._order)
        except OSError:
            # Dead; what it answered before may still be unread, so `_collect` will bury it.
            if not worker.jobs:
                self._workers.remove(worker)
                worker.kill()
            return False
        return True

    def _collect(self) -> None:
        """Wait for an answer, a death, or the end of a worker's time."""
        heard = [worker for worker in self._workers if self._may_speak(worker)]
        left = min(self._deadline(worker) for worker in heard) - time.monotonic()
        by_connection = {worker.connection: worker for worker in heard}
        ready = wait(list(by_connection), timeout=max(0.0, left))
        for connection in ready:
            self._receive(by_connection[connection])  # type: ignore[index]
        if not ready:
            now = time.monotonic()
            for worker in [worker for worker in heard if self._deadline(worker) <= now]:
                self._bury(worker, timed_out=True)

    def _may_speak(self, worker: Worker) -> bool:
        """Full memory is relieved only by the file whose turn it is: hear its worker alone."""
        if not worker.jobs:
            return False
        holds_next = any(job.index == self._next for job in worker.jobs)
        return holds_next or self._ahead_bytes < _AHEAD_BYTES

    def _deadline(self, worker: Worker) -> float:
        if not worker.is_ready:
            return worker.since + _START_SECONDS
        return worker.since + self._limits.seconds_for(len(worker.jobs[0].paths))

    def _receive(self, worker: Worker) -> None:
        try:
            if not worker.is_ready:
                receive_json(worker.connection)
                worker.is_ready = True
            else:
                outcome = receive_outcome(worker.connection, worker.jobs[0].path)
                self._keep(worker.jobs.popleft(), outcome)
            worker.since = time.monotonic()
        except (EOFError, OSError, ValueError):
            self._bury(worker)

    def _keep(self, job: Job, outcome: Outcome) -> None:
        self._results[job.index] = outcome
        self._ahead_bytes += _size(outcome)

    def _bury(self, worker: Worker, *, timed_out: bool = False) -> None:
        """The file at work takes the blame; those behind it go to another worker."""
        self._workers.remove(worker)
        status = worker.kill()
        if not worker.is_ready:
            raise LatentdxError(
                "E_WORKER",
                f"the decoding process could not start (status {status})",
                fix="check that `python -m latentdx.scans.worker` can be run; raise memory_bytes",
            )
        job = worker.jobs.popleft()
        self._keep(job, _blame(job, status, self._limits, timed_out=timed_out))
        self._returned.extend(worker.jobs)


def _size(outcome: Outcome) -> int:
    items = outcome if isinstance(outcome, tuple) else ()
    return sum(item.pixels.nbytes for item in items if isinstance(item, Scan))


def _blame(job: Job, status: int, limits: Limits, *, timed_out: bool) -> InputError:
    if timed_out or status == -signal.SIGXCPU:
        found = f"not decoded within {limits.seconds_for(len(job.paths)):g} seconds"
        return InputError("E_TIMEOUT", found, fix="raise the time, or look at it", path=job.path)
    name = signal.Signals(-status).name if status < 0 else f"exit status {status}"
    return InputError("E_CRASH", f"the decoder ended with {name}", path=job.path)
