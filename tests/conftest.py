"""For all tests: hypothesis judges what the code does, not how busy the machine is."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "blobpipes",
    deadline=None,
    max_examples=int(os.environ.get("BLOBPIPES_EXAMPLES", "40")),  # more of them are looked for by hand
    suppress_health_check=[HealthCheck.too_slow],
    derandomize=bool(os.environ.get("CI")),  # CI judges the change; new examples are looked for everywhere else
    print_blob=True,
)
settings.load_profile("blobpipes")
