"""Exit codes: 0 done; 1 a bug; 2 unusable input or usage; 3 done, some files quarantined."""

from __future__ import annotations

import errno
import sys
import traceback

_FIX = "check the path, its permissions and the space on the disk; the same call goes on"
_NO_BUG = {
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.EIO),
    *(errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG, errno.ESTALE),
}
"""What a disk or its permissions refuse."""

DONE, BUG, UNUSABLE, QUARANTINED = 0, 1, 2, 3
NOT_IMAGE = "N_NOT_IMAGE"
"""Of a file that holds no image by its kind: it is left out, and no exit code is changed."""


def exit_code_of(error: Exception) -> int:
    """Tell the user what happened on stderr; the exit code to end with.

    A bug shows its traceback but not its message: a library's message may quote a file's values.
    """
    from latentdx.core.errors import LatentdxError

    if isinstance(error, LatentdxError):
        print(f"latentdx: {error}", file=sys.stderr)  # noqa: T201
        return UNUSABLE
    if isinstance(error, OSError) and error.errno in _NO_BUG and error.filename:
        where = str(error.filename2 or error.filename)
        refusal = LatentdxError("E_IO", str(error.strerror), fix=_FIX, path=where)
        print(f"latentdx: {refusal}", file=sys.stderr)  # noqa: T201
        return UNUSABLE
    frames = traceback.format_tb(error.__traceback__)
    print("".join(frames[-6:]), file=sys.stderr)  # noqa: T201
    print(  # noqa: T201
        f"latentdx: a bug ({type(error).__name__}); please report it with the lines above",
        file=sys.stderr,
    )
    return BUG
