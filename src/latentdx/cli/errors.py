"""Exit codes: 0 done; 1 a bug; 2 unusable input or usage; 3 done, some files quarantined."""

from __future__ import annotations

import sys
import traceback

DONE, BUG, UNUSABLE, QUARANTINED = 0, 1, 2, 3


def exit_code_of(error: Exception) -> int:
    """Tell the user what happened on stderr; the exit code to end with.

    A bug shows its traceback but not its message: a library's message may quote a file's values.
    """
    from latentdx.core.errors import LatentdxError

    if isinstance(error, LatentdxError):
        print(f"latentdx: {error}", file=sys.stderr)  # noqa: T201
        return UNUSABLE
    frames = traceback.format_tb(error.__traceback__)
    print("".join(frames[-6:]), file=sys.stderr)  # noqa: T201
    print(  # noqa: T201
        f"latentdx: a bug ({type(error).__name__}); please report it with the lines above",
        file=sys.stderr,
    )
    return BUG
