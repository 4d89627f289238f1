"""Bytes read as a scan or refused, and the real files where they lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dicom_files import KEY

from latentdx.core.errors import InputError
from latentdx.scans.limits import Limits
from latentdx.scans.open import open_scan
from latentdx.scans.scan import Scan

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Scan]:
    """Write bytes under any name and read them as a scan."""

    def read_bytes(data: bytes, name: str = "scan.bin", limits: Limits | None = None) -> Scan:
        path = tmp_path / name
        path.write_bytes(data)
        return open_scan(path, key=KEY, limits=limits)

    return read_bytes


@pytest.fixture
def refuse(read: Callable[..., Scan]) -> Callable[..., InputError]:
    """The error that bytes end in."""

    def refused(data: bytes, **options: Any) -> InputError:
        with pytest.raises(InputError) as caught:
            read(data, **options)
        return caught.value

    return refused


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip(f"the shared data folder is absent: {SHARED}")
    return SHARED
