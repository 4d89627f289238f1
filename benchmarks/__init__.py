"""Benchmarks: each writes its numbers to ``results``, with machine, versions and commit."""

import os

# As the command line sets it (see `latentdx.cli.app.run`); read when torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
