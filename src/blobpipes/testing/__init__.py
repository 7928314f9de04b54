"""What tests need to run blobpipes without a cloud, a network or waiting.

    from blobpipes.testing import FaultyStore, ManualClock, MemoryStore

    store = FaultyStore(MemoryStore(), puts=["request lost", "reply lost"])

`StoreContract` is what every `Store` promises, as a class of pytest tests: subclass it in your tests, give it a
`store` fixture, and your own store is held to the same promises as ours. `PlaceContract` is the same for places that
run jobs. pytest is loaded only for these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blobpipes.testing.clock import ManualClock
from blobpipes.testing.faulty_store import FAULTS, FaultyStore
from blobpipes.testing.memory_store import MemoryStore

if TYPE_CHECKING:
    from blobpipes.testing.place_contract import PlaceContract
    from blobpipes.testing.store_contract import StoreContract

__all__ = ["FAULTS", "FaultyStore", "ManualClock", "MemoryStore", "PlaceContract", "StoreContract"]


def __getattr__(name: str) -> Any:
    if name == "PlaceContract":
        from blobpipes.testing.place_contract import PlaceContract

        return PlaceContract
    if name == "StoreContract":
        from blobpipes.testing.store_contract import StoreContract

        return StoreContract
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
