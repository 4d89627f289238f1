"""Progress for people: rich bars on stderr in a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


class ConsoleReporter:
    """A bar a step, with loss, speed and time left; use it as a context manager."""

    def __init__(self) -> None:
        console = Console(stderr=True)
        self._bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[text]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._plain = not console.is_terminal
        self._said = 0.0
        self._task: int | None = None
        self._started = time.monotonic()

    def __enter__(self) -> ConsoleReporter:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if kind is None:
            self._finish()
        self._bars.stop()
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            self._say("Stopped. The same command goes on where it stopped.")

    def step(self, name: str, text: str) -> None:
        """A new bar."""
        self._finish()
        if self._plain:
            self._say(f"[{time.monotonic() - self._started:6.1f} s] {text}")
        self._task = self._bars.add_task(f"{text:<42}", total=None, text="")

    def progress(self, done: int, total: int, text: str = "") -> None:
        """Move the bar; without a terminal a line every ten seconds."""
        if self._task is not None:
            self._bars.update(self._task, completed=done, total=total, text=text)  # type: ignore[arg-type]
        if self._plain and done < total and time.monotonic() - self._said > 10:
            self._say(f"           {done}/{total} {text}")

    def note(self, text: str) -> None:
        """A line above the bars."""
        if self._plain:
            self._say(f"           {text}")
        else:
            self._bars.console.print(f"  {text}", style="dim", markup=False, highlight=False)

    def _finish(self) -> None:
        if self._task is not None:
            task = self._bars.tasks[self._task]
            total = task.total if task.total is not None else 1
            self._bars.update(self._task, completed=total, total=total)  # type: ignore[arg-type]

    def _say(self, text: str) -> None:
        self._said = time.monotonic()
        print(text, file=sys.stderr, flush=True)  # noqa: T201
