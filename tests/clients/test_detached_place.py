"""Jobs that outlive whoever launched them, on this machine; integration_tests/clients does the same through ssh."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from blobpipes.clients.detached_place import DetachedPlace
from blobpipes.clients.detached_scripts import DetachedScripts
from blobpipes.clients.machine import LocalMachine
from blobpipes.clients.place import Place
from blobpipes.testing import PlaceContract

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are found as on Linux")  # noqa: PTH112


class TestDetachedPlace(PlaceContract):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Place[Any]:
        return DetachedPlace(LocalMachine(), DetachedScripts(str(tmp_path / "the jobs"), supervisor=""))
