"""Where do the params lead, and how is a log written there? Pure text work; nothing here talks to a store.

Three kinds of params lead to a store: our own orchestration side names a URL under the key `blobpipes`;
an official one names bucket and key, and leaves it to the external process to know whose bucket that
is; a chunk directory is a plain path. What this process must know by itself it is told by a `url`
argument or by BLOBPIPES_URL.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from blobpipes.chunklog.compressing import agreed
from blobpipes.chunklog.layout import lane_prefix
from blobpipes.chunklog.options import LogOptions, parse_options
from blobpipes.errors import DagsterPipesError, InvalidUrlError
from blobpipes.external.lanes import lane_of
from blobpipes.storage.url import parse_url, without_secrets
from blobpipes.wire.params import PipesParams

ENTRY: Final = "blobpipes"  # the key under which our orchestration side speaks to our external side
URL_ENV_VAR: Final = "BLOBPIPES_URL"
PATH: Final = "path"
_VERSION: Final = 1  # of what stands under ENTRY
BUCKET: Final = "bucket"
KEY: Final = "key"
KEY_PREFIX: Final = "key_prefix"

_OPTIONS: Final = frozenset(each.name for each in fields(LogOptions))


@dataclass(frozen=True, slots=True)
class OwnUrl:
    """What this process was told about the store. The base may be a bare `scheme://`."""

    base: str | None
    options: Mapping[str, str]

    @property
    def scheme(self) -> str | None:
        """What comes before a bucket's name."""
        if self.base is None or "://" not in self.base:
            return None
        return self.base[: self.base.rindex("://") + 3]


@dataclass(frozen=True, slots=True)
class Address:
    """A store, and how to reach it beyond what this process's own environment says."""

    url: str
    storage_options: Mapping[str, Any] = field(default_factory=dict, repr=False)


def entry_of(params: PipesParams) -> Mapping[str, Any] | None:
    """What our orchestration side added; None if it was another one."""
    entry = params.get(ENTRY)
    if isinstance(entry, Mapping) and entry.get("v", _VERSION) != _VERSION:
        raise DagsterPipesError(
            f"the orchestration side speaks version {entry['v']} of the params, and this blobpipes {_VERSION}",
            remedy="Install the same version of blobpipes on both sides.",
        )
    if entry is None or isinstance(entry, Mapping):
        return entry
    raise DagsterPipesError(f"the param `{ENTRY}` must be an object, not {type(entry).__name__}", remedy=_REMEDY)


def leads_to_store(params: PipesParams) -> bool:
    """Whether these messages params mean chunks in a store, and not a single file or a stream."""
    return BUCKET in params or (entry_of(params) is not None and (_entry_url(params) is not None or PATH in params))


def messages_address(params: PipesParams, url: str | None, storage_options: Mapping[str, Any]) -> Address:
    """The prefix under which the chunks go."""
    options = {**passed_options(params), **storage_options}
    named = _entry_url(params, url)
    if named is None and BUCKET in params:
        prefix = "" if params.get(KEY_PREFIX) is None else text_param(params, KEY_PREFIX).strip("/")
        named = bucket_url(params, url) + (f"/{escape(prefix)}" if prefix else "")
    if named is None and PATH in params:
        named = file_url(text_param(params, PATH))
    if named is None:
        raise cannot_use(params, "a blob-store message writer", f"`{ENTRY}`, `{BUCKET}` or `{PATH}`")
    lane = lane_folder(params)
    return Address(f"{named}/{lane}" if lane else named, options)


def lane_folder(params: PipesParams) -> str:
    """Where this process' lane is below the session, without a last slash; empty for the session's own log.

    Raises:
        DagsterPipesError: lanes were announced, and nothing tells which one this process has.
    """
    lane = lane_of(os.environ, (entry_of(params) or {}).get("lanes"))
    return "" if lane is None else lane_prefix(lane).rstrip("/")


def context_address(params: PipesParams, url: str | None, storage_options: Mapping[str, Any]) -> tuple[Address, str]:
    """The prefix under which the context's object is, and its key there."""
    options = {**passed_options(params), **storage_options}
    named = _entry_url(params, url)
    if named is not None:
        folder, key = _split_object(named)
        return Address(folder, options), key
    if BUCKET in params:
        return Address(bucket_url(params, url), options), text_param(params, KEY).lstrip("/")
    raise cannot_use(params, "a blob-store context loader", f"`{ENTRY}`, or `{BUCKET}` and `{KEY}`")


def log_options(params: PipesParams, url: str | None, given: Mapping[str, Any]) -> LogOptions:
    """The options that hold: the orchestration side's, then BLOBPIPES_URL's, then the `url`'s, then `given`.

    Raises:
        InvalidOptionError: an unknown option of ours, or a bad value. Options that a newer orchestration
            side knows and we do not are left out.
    """
    told = (entry_of(params) or {}).get("options") or {}
    options = parse_options({name: value for name, value in told.items() if name in _OPTIONS})
    for own in _own_urls(url):
        options = parse_options(own.options, options)
    return parse_options(given, options)


def with_agreed_compression(options: LogOptions, params: PipesParams) -> LogOptions:
    """The options with the compression that both sides have. An official reader, or an older one, says of none."""
    offered = (entry_of(params) or {}).get("z") or ()
    codec = agreed(options.compression, [each for each in offered if isinstance(each, str)])
    return parse_options({"compression": codec}, options)


def bucket_url(params: PipesParams, url: str | None) -> str:
    """The URL of the bucket that an official orchestration side names.

    Raises:
        DagsterPipesError: nothing says which provider's bucket it is.
    """
    bucket = text_param(params, BUCKET)
    scheme = next((own.scheme for own in reversed([*_own_urls(url)]) if own.scheme is not None), None)
    if scheme is None:
        raise DagsterPipesError(
            f"the params name the bucket {bucket!r}, but not which provider's",
            remedy=f"Set {URL_ENV_VAR}=s3:// (or gs://, az://) in this process's environment, or pass "
            'PipesBlobStoreMessageWriter(url="s3://") and PipesBlobStoreContextLoader(url="s3://").',
        )
    return f"{scheme}{bucket}"


def file_url(path: str) -> str:
    """A directory of this machine as a URL."""
    return f"file://{escape(os.path.abspath(path))}"  # noqa: PTH100 - Path.resolve would follow links


def text_param(params: PipesParams, key: str) -> str:
    """The string under `key`."""
    value = params.get(key)
    if not isinstance(value, str):
        problem = "is absent" if value is None else f"must be a string, not {type(value).__name__}"
        raise DagsterPipesError(f"the param `{key}` {problem}", remedy=_REMEDY)
    return value


def cannot_use(params: PipesParams, who: str, wanted: str) -> DagsterPipesError:
    """The error for params that belong to another loader or writer. Names keys, never values."""
    received = ", ".join(f"`{key}`" for key in params) or "no params at all"
    return DagsterPipesError(f"{who} needs {wanted}, and received {received}", remedy=_REMEDY)


_REMEDY: Final = (
    "Pass open_dagster_pipes() the context_loader and message_writer that fit what the orchestration side uses."
)


def parse_own_url(text: str) -> OwnUrl:
    """A URL that may stop after its scheme, as in `s3://?interval=5s`.

    Raises:
        InvalidUrlError, InvalidOptionError: as `parse_url`.
    """
    base, _, query = text.strip().partition("?")
    if not base.endswith("://"):
        parsed = parse_url(text)
        return OwnUrl(parsed.base, parsed.options)
    if not base.rpartition("::")[2].removesuffix("://"):
        raise InvalidUrlError(f"{text!r} has no scheme")
    return OwnUrl(base.lower(), parse_url(f"any://place?{query}").options)


def _own_urls(url: str | None) -> Iterator[OwnUrl]:
    """From the weakest to the strongest."""
    for text in (os.environ.get(URL_ENV_VAR), url):
        if text:
            yield parse_own_url(text)


def _entry_url(params: PipesParams, url: str | None = None) -> str | None:
    """The URL that our orchestration side named, with the user and password of this side's own URL, if it fits."""
    entry = entry_of(params)
    if entry is None or entry.get("url") is None:
        return None
    named = parse_url(text_param(entry, "url")).base
    for own in _own_urls(url):
        shown = without_secrets(own.base) if own.base is not None else ""
        if shown and named.startswith(f"{shown}/"):
            named = f"{own.base}{named[len(shown) :]}"
    return named


def _split_object(url: str) -> tuple[str, str]:
    """An object's URL as the URL of its folder and a key. In a chained URL the path belongs to the first place."""
    elements = url.split("::")
    at = next((i for i, element in enumerate(elements) if "://" in element), len(elements) - 1)
    elements[at], _, key = elements[at].rpartition("/")
    return "::".join(elements), key


def passed_options(params: PipesParams) -> dict[str, Any]:
    """Endpoint, region and the like, where the orchestration side was told to pass them on. Never secrets."""
    passed = (entry_of(params) or {}).get("storage_options") or {}
    if not isinstance(passed, Mapping):
        raise DagsterPipesError(f"the param `{ENTRY}.storage_options` must be an object", remedy=_REMEDY)
    return dict(passed)


def escape(text: str) -> str:
    return text.replace("?", "%3F")  # else our options would begin there
