"""Runs squares.py through the storage URL in BLOBPIPES_URL (or else temporary files), and prints its results."""

import sys
from pathlib import Path

from blobpipes import PipesSubprocessClient, RunContext

job = Path(__file__).with_name("squares.py")
invocation = PipesSubprocessClient().run(
    context=RunContext(asset_keys=["squares"]), command=[sys.executable, str(job)], extras={"limit": 1000}
)
for result in invocation.get_results():
    print(result)
print(invocation.report.summary())
