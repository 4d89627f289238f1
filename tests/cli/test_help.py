"""Help is there for every command, with an example, at once."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from latentdx_command import COMMAND, latentdx

from latentdx.cli.app import app
from latentdx.core.version import VERSION

COMMANDS = sorted(
    command.name or command.callback.__name__
    for command in app.registered_commands
    if command.callback
)
HEAVY = ("torch", "sklearn", "scipy", "matplotlib", "lance", "pydicom", "pandas")
PROBE = f"""
import sys
sys.argv = ["latentdx", *sys.argv[1:]]
from latentdx.cli.app import run
try:
    run()
finally:
    print("HEAVY", [name for name in {HEAVY!r} if name in sys.modules])
"""


def cpu_seconds(*args: str) -> float:
    """What one call costs; the least of up to three, as other programs disturb it."""
    found: list[float] = []
    while len(found) < 3 and min(found, default=1.0) >= 0.5:
        process = subprocess.Popen([*COMMAND, *args], stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        found.append(usage.ru_utime + usage.ru_stime)
    return min(found)


def test_the_commands_of_the_contract_are_there() -> None:
    assert set(COMMANDS) >= {
        *("demo", "run", "doctor", "ingest", "audit", "pretrain", "fit", "evaluate", "predict")
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_an_example(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE, command, "--help"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    shown, _, heavy = done.stdout.partition("HEAVY")
    assert f"latentdx {command} " in shown.partition("Example")[2]
    assert heavy.strip() == "[]"


@pytest.mark.parametrize("args", [("--help",), ("run", "--help"), ("predict", "--help")])
def test_help_takes_less_than_half_a_second(args: tuple[str, ...]) -> None:
    assert cpu_seconds(*args) < 0.5


def test_the_first_page_names_every_command_and_the_first_to_try() -> None:
    shown = latentdx("--help")
    assert all(f" {command} " in shown.out for command in COMMANDS)
    assert "latentdx demo" in shown.out


def test_the_version() -> None:
    assert latentdx("--version").out == f"{VERSION}\n"


def test_no_command_is_a_usage_error_that_shows_the_help() -> None:
    ended = latentdx()
    assert ended.code == 2
    assert "predict" in ended.out + ended.err


@pytest.mark.parametrize(
    ("args", "named"), [(("explode",), "explode"), (("run", "--out", "x", "--sede", "1"), "--sede")]
)
def test_an_unknown_command_or_option_is_a_usage_error(args: tuple[str, ...], named: str) -> None:
    ended = latentdx(*args)
    assert (ended.code, ended.out) == (2, "")
    assert named in ended.err


def test_every_classifier_is_told_of() -> None:
    from latentdx.cli.options import CLASSIFIERS
    from latentdx.diagnosis.machines import MACHINES

    assert all(f"{name} (" in CLASSIFIERS or f"{name}," in CLASSIFIERS for name in MACHINES)
