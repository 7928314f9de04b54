"""What tests need to run blobpipes without a cloud, a network or waiting.

    from blobpipes.testing import FaultyStore, ManualClock, MemoryStore

    store = FaultyStore(MemoryStore(), puts=["request lost", "reply lost"])

`FaultyFileSystem` does the same to any fsspec file system, by URL and so in other processes too:
`faulty://seed=7,any=0.2::s3://bucket/prefix`. `Faults` is its plan and its record.

`StoreContract` is what every `Store` promises, as a class of pytest tests: subclass it in your tests, give it a
`store` fixture, and your own store is held to the same promises as ours. `PlaceContract` is the same for places that
run jobs. pytest is loaded only for these.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

from blobpipes.testing.clock import ManualClock
from blobpipes.testing.faults import REQUEST_FAULTS, Faults
from blobpipes.testing.faulty_store import FAULTS, FaultyStore
from blobpipes.testing.memory_store import MemoryStore

if TYPE_CHECKING:
    from blobpipes.testing.faulty_file_system import FaultyFileSystem
    from blobpipes.testing.place_contract import PlaceContract
    from blobpipes.testing.store_contract import StoreContract

__all__ = [
    "FAULTS",
    "REQUEST_FAULTS",
    "Faults",
    "FaultyFileSystem",
    "FaultyStore",
    "ManualClock",
    "MemoryStore",
    "PlaceContract",
    "StoreContract",
]


_LAZY: Final = {  # what needs pytest or fsspec, and the module that has it
    "FaultyFileSystem": "faulty_file_system",
    "PlaceContract": "place_contract",
    "StoreContract": "store_contract",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"blobpipes.testing.{_LAZY[name]}"), name)
