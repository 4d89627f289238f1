"""``latentdx`` and ``python -m latentdx``."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from latentdx.cli.app import run

    run()


if __name__ == "__main__":
    main()
