"""Settings that may not be known yet where they are written: the value of an environment variable."""

from __future__ import annotations

from typing import Any

from blobpipes.dagster.official import EnvVar
from blobpipes.errors import InvalidUrlError
from blobpipes.orchestration.open import URL_ENV_VAR


def resolved(value: Any) -> Any:
    """`value`, or what the environment says if it is an `EnvVar`.

    Raises:
        InvalidUrlError: the variable is not set.
    """
    if not isinstance(value, EnvVar):
        return value
    found = value.get_value()
    if not found:
        name = value.env_var_name
        raise InvalidUrlError(
            f"the environment variable {name} is not set",
            remedy=f"Set {name} where Dagster runs the step: the run's worker, not only the web server.",
        )
    return found


def is_known(url: str | EnvVar | None) -> bool:
    """Whether the URL can be checked now, and not only when a step runs."""
    return isinstance(url, str) and not isinstance(url, EnvVar)


def resolved_url(url: str | EnvVar | None) -> str:
    """The storage URL: as given, of the variable that was given, or of BLOBPIPES_URL.

    Raises:
        InvalidUrlError: there is none.
    """
    return str(resolved(EnvVar(URL_ENV_VAR) if url is None else url))
