"""`Reporter`: whom a study tells how far it is."""

from __future__ import annotations

import time
from typing import Protocol


class Reporter(Protocol):
    """Told of each step, of its progress, and of what the user should know."""

    def step(self, name: str, text: str) -> None:
        """A step begins."""
        ...

    def progress(self, done: int, total: int, text: str = "") -> None:
        """The step has done `done` of `total`; `text` is loss, speed and the like."""
        ...

    def note(self, text: str) -> None:
        """Something to know."""
        ...


class Silent:
    """Tells nobody."""

    def step(self, name: str, text: str) -> None:
        """Nothing."""

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""


class Within:
    """Passes on to a reporter; each step and note says what it is a part of."""

    def __init__(self, reporter: Reporter, part: str) -> None:
        self._reporter, self._part = reporter, part

    def step(self, name: str, text: str) -> None:
        """Pass on, with the part before it."""
        self._reporter.step(name, f"{self._part}: {text}")

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Pass on."""
        self._reporter.progress(done, total, text)

    def note(self, text: str) -> None:
        """Pass on, with the part before it."""
        self._reporter.note(f"{self._part}: {text}")


class Clock:
    """Passes on to a reporter and keeps the seconds of each step."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._name = ""
        self._started = time.monotonic()
        self.seconds: dict[str, float] = {}

    def step(self, name: str, text: str) -> None:
        """End the step before and begin one."""
        self.stop()
        self._name, self._started = name, time.monotonic()
        self._reporter.step(name, text)

    def stop(self) -> None:
        """End the step that runs."""
        if self._name:
            spent = self.seconds.get(self._name, 0.0) + time.monotonic() - self._started
            self.seconds[self._name] = round(spent, 3)
        self._name = ""

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Pass on."""
        self._reporter.progress(done, total, text)

    def note(self, text: str) -> None:
        """Pass on."""
        self._reporter.note(text)

    def part(self, text: str) -> Clock:
        """A clock for steps within the step that runs, which goes on; `text` says of which part."""
        return Clock(Within(self._reporter, text))
