"""The process in which untrusted files are decoded: ``python -m latentdx.scans.worker FD``.

From the socket FD it reads the limits, then orders (what is wanted of the files that follow) and
the paths of one file or series a message. It answers each of these in order, and ends when the
socket closes. It imports only what decoding needs: it starts quickly.
"""

from __future__ import annotations

import gc
import math
import mmap
import resource
import signal
import sys
from multiprocessing.connection import Connection

from latentdx.core.errors import InputError
from latentdx.scans import alone  # noqa: F401 (before all that imports pydicom)
from latentdx.scans.clean import clean_file
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scans
from latentdx.scans.peek import peek
from latentdx.scans.request import Request
from latentdx.scans.source_header import read_source_header
from latentdx.scans.wire import Outcome, Task, read_order, receive_json, send_json, send_outcome

_ROOM_BYTES = 16 << 20  # with less than this to decode in, a worker is of no use


def main(descriptor: int) -> None:
    """Serve one parent until it closes the socket."""
    # Ctrl-C reaches the whole group of processes: the parent decides when the workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    connection = Connection(descriptor)
    limits = Limits(**receive_json(connection))
    _limit_memory(limits)
    gc.freeze()  # what the libraries made is not looked through again and again
    task, request = read_order(receive_json(connection))
    try:
        send_json(connection, "ready")
        while True:
            message = receive_json(connection)
            if isinstance(message, dict):
                task, request = read_order(message)
                continue
            paths, mask = message
            _limit_seconds(limits, len(paths))
            send_outcome(connection, _outcome(task, paths, mask, request, limits))
    except (EOFError, OSError):
        return


def _outcome(
    task: Task, paths: list[str], mask: str | None, request: Request, limits: Limits
) -> Outcome:
    try:
        if task == "peek":
            return peek(paths[0], key=request.key, limits=limits)
        if task == "header":
            return read_source_header(paths[0], limits)
        if task == "clean":
            return clean_file(paths[0], request, limits)
        scans = open_scans(paths, key=request.key, limits=limits, policy=request.policy, mask=mask)
        found = tuple(request.deliver(scan) for scan in scans)
        return found[0] if len(found) == 1 and isinstance(found[0], InputError) else found
    except InputError as error:
        return error
    except MemoryError:
        return InputError("E_MEMORY", "decoding took more memory than allowed")


def _limit_memory(limits: Limits) -> None:
    """Address space: an allocation beyond it fails in this process instead of in the machine.

    A limit below what the process holds already is accepted by the system, and small files would
    still fit into the heap's gaps: `OSError` here, before "ready", tells the parent instead.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
    mmap.mmap(-1, _ROOM_BYTES).close()


def _limit_seconds(limits: Limits, n_files: int) -> None:
    """Processor time: ends a hang even while the parent is busy and does not look."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    allowed = math.ceil(usage.ru_utime + usage.ru_stime + limits.seconds_for(n_files)) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main(int(sys.argv[1]))
