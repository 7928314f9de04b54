"""The front door: every public name, none of its weight.

`from blobpipes import X` loads the module behind `X` when it is first asked for, so a program pays only
for the side of the pipe that it uses, and `import blobpipes` loads no third-party module at all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # the same table for type checkers and editors; a test compares the two
    from blobpipes.chunklog.options import LogOptions as LogOptions
    from blobpipes.errors import BlobpipesError as BlobpipesError
    from blobpipes.errors import DagsterPipesError as DagsterPipesError
    from blobpipes.errors import DagsterPipesWarning as DagsterPipesWarning
    from blobpipes.errors import FencedError as FencedError
    from blobpipes.errors import IncompleteError as IncompleteError
    from blobpipes.errors import InvalidOptionError as InvalidOptionError
    from blobpipes.errors import InvalidUrlError as InvalidUrlError
    from blobpipes.errors import JobFailedError as JobFailedError
    from blobpipes.errors import LogSealedError as LogSealedError
    from blobpipes.errors import MalformedMessageError as MalformedMessageError
    from blobpipes.errors import MissingBackendError as MissingBackendError
    from blobpipes.errors import NeverOpenedError as NeverOpenedError
    from blobpipes.errors import StoreDeniedError as StoreDeniedError
    from blobpipes.errors import StoreError as StoreError
    from blobpipes.errors import StorePlaceMissingError as StorePlaceMissingError
    from blobpipes.errors import StoreUnavailableError as StoreUnavailableError
    from blobpipes.errors import UndeliveredError as UndeliveredError
    from blobpipes.errors import UnserializableError as UnserializableError
    from blobpipes.errors import WriterError as WriterError

    __version__: str

_NAMES_BY_MODULE: Final[dict[str, tuple[str, ...]]] = {
    # what can go wrong, on either side
    "blobpipes.errors": (
        "BlobpipesError",
        "DagsterPipesError",
        "DagsterPipesWarning",
        "FencedError",
        "IncompleteError",
        "InvalidOptionError",
        "InvalidUrlError",
        "JobFailedError",
        "LogSealedError",
        "MalformedMessageError",
        "MissingBackendError",
        "NeverOpenedError",
        "StoreDeniedError",
        "StoreError",
        "StorePlaceMissingError",
        "StoreUnavailableError",
        "UndeliveredError",
        "UnserializableError",
        "WriterError",
    ),
    # settings, on either side
    "blobpipes.chunklog.options": ("LogOptions",),
}
_HOMES: Final = {name: module for module, names in _NAMES_BY_MODULE.items() for name in names}

__all__ = ["__version__", *sorted(_HOMES)]  # noqa: PLE0604 - names, whatever the linter reads


def __getattr__(name: str) -> Any:
    if name == "__version__":
        value = _installed_version()
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'blobpipes' has no attribute {name!r}")
    globals()[name] = value  # from now on Python finds it without asking here
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


def _installed_version() -> str:
    from importlib import metadata  # loads a third of the standard library's e-mail parser: only when asked

    try:
        return metadata.version("blobpipes")
    except metadata.PackageNotFoundError:
        return "0+uninstalled"  # run from a source tree that is only on the path
