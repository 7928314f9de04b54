"""From a URL to a file system of one's own, or to an error that says what to install or correct.

The `fsspec` module is an argument here, because fsspec_store.py alone imports it.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any, Final

from blobpipes.errors import BlobpipesError, InvalidOptionError, InvalidUrlError, MissingBackendError, StoreDeniedError
from blobpipes.storage import backends
from blobpipes.storage.backends import Backend
from blobpipes.storage.failures import AZURE_CREDENTIALS, Kind, as_store_error, classify
from blobpipes.storage.scrub import Scrubber
from blobpipes.storage.url import fsspec_text, scheme_of, without_secrets

_CACHES: Final = ("simplecache", "filecache", "blockcache", "cached")


def connect(fsspec: Any, base: str, options: Mapping[str, Any], scrub: Scrubber) -> tuple[Any, str, Backend | None]:
    """A fresh file-system instance, the root's path on it, and what we know of its backend.

    Raises:
        InvalidUrlError, MissingBackendError: no such scheme, or its package is missing or too old.
        InvalidOptionError, StoreDeniedError: the file system cannot be made from these storage options.
    """
    chain = [scheme_of(element) for element in base.split("::") if "://" in element]
    _refuse_caches(base)
    classes = [_class_for(fsspec, scheme, options) for scheme in chain]
    try:
        if "::" in base:
            fs, root = fsspec.core.url_to_fs(fsspec_text(base), **_chained_options(chain, options))
            return fs, root, None
        return _single(classes[0], base, options)
    except Exception as error:  # noqa: BLE001 - classified below
        raise _not_connected(base, error, scrub) from (error if scrub.is_clean(error) else None)


def _single(cls: Any, base: str, options: Mapping[str, Any]) -> tuple[Any, str, Backend | None]:
    url, backend = fsspec_text(base), backends.backend_of(scheme_of(base))
    if backend is not None and not _serves(backend, cls):
        backend = None  # another package has taken over the scheme, and its promises are unknown
    if backend is not None:
        cls, options = backends.plain_class(backend, cls), backends.own_options(backend, options)
    fs = cls(skip_instance_cache=True, **{**cls._get_kwargs_from_urls(url), **options})
    if backend is not None:
        backends.stop_retries(backend, fs)
    return fs, cls._strip_protocol(url), backend


def _class_for(fsspec: Any, scheme: str, options: Mapping[str, Any]) -> Any:
    """The class that serves a scheme which fsspec knows and whose package is there."""
    backend = backends.backend_of(scheme)
    if backend is not None:
        backends.prepare_environment(backend, options)
    known = [*fsspec.available_protocols(), *fsspec.registry]  # the latter: what the program has registered itself
    if scheme not in known:
        raise _unknown_scheme(scheme, known)
    try:
        cls = fsspec.get_filesystem_class(scheme)
    except ImportError as error:
        raise _missing(scheme, backend, error) from error
    if backend is not None and _serves(backend, cls):
        backends.require_version(backend, backends.version_of(backend))
    return cls


def _refuse_caches(base: str) -> None:
    for element in base.split("::")[:-1]:
        scheme = element.partition("://")[0]
        if scheme in _CACHES:
            raise InvalidUrlError(
                f"{scheme}:: would hide new objects behind old ones",
                remedy=f"Use the URL without {scheme}::.",
            )


def _chained_options(chain: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """The caller's options, by scheme as fsspec wants them for a chain, with ours for the element we know."""
    merged: dict[str, Any] = {**options, "skip_instance_cache": True}
    backend = backends.backend_of(chain[-1]) if chain else None
    if backend is not None:
        inner = backends.own_options(backend, merged.get(chain[-1]) or {})
        merged[chain[-1]] = {**inner, "skip_instance_cache": True}
    return merged


def _serves(backend: Backend, cls: type) -> bool:
    return cls.__module__.partition(".")[0] == backend.package


def _unknown_scheme(scheme: str, known: list[str]) -> InvalidUrlError:
    close = difflib.get_close_matches(scheme, known, n=3, cutoff=0.5)
    hint = f"Did you mean {' or '.join(name + '://' for name in close)}?" if close else InvalidUrlError.remedy
    return InvalidUrlError(f"no file system serves {scheme}:// URLs", remedy=hint)


def _missing(scheme: str, backend: Backend | None, error: ImportError) -> MissingBackendError:
    if backend is None:
        return MissingBackendError(f"{scheme}:// needs a package that is not installed", remedy=f"{error}.")
    return MissingBackendError(
        f"{scheme}:// needs the package {backend.package}, which cannot be imported",
        remedy=f'Run: pip install "blobpipes[{backend.extra}]"',
    )


def _not_connected(base: str, error: Exception, scrub: Scrubber) -> BlobpipesError:
    url, text = without_secrets(base), scrub.clean(str(error))
    if isinstance(error, ImportError):  # some file systems look for their package only now
        return _missing(scheme_of(base), backends.backend_of(scheme_of(base)), error)
    if backends.backend_of(scheme_of(base)) is backends.AZURE and isinstance(error, ValueError):
        return StoreDeniedError(
            f"cannot open {url}: {text}",
            reason="no credentials",
            remedy=AZURE_CREDENTIALS,
        )
    failure = classify(error)
    if failure.kind is Kind.UNAVAILABLE and isinstance(error, (TypeError, ValueError, KeyError)):
        return InvalidOptionError(
            f"cannot open {url} with these storage_options: {text}", remedy="Correct storage_options."
        )
    return as_store_error(failure, f"cannot open {url}: {failure.reason} ({text})")
