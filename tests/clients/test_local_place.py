from __future__ import annotations

import os
from typing import Any

import pytest

from blobpipes.clients.local_place import LocalPlace
from blobpipes.clients.place import JobSpec, Place
from blobpipes.testing import PlaceContract

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs a shell")


class TestLocalPlace(PlaceContract):
    finds_jobs = False

    @pytest.fixture
    def place(self) -> Place[Any]:
        return LocalPlace()


def test_several_processes_for_one_job_are_refused() -> None:
    with pytest.raises(ValueError, match="one process"):
        LocalPlace().launch(JobSpec(("true",), token="t", tasks=2))
