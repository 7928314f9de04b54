"""`--on PLACE`: which client runs the command, with settings from flags, the environment or a file.

    ssh://user@host:2222      PipesSSHClient
    slurm, slurm:PARTITION    PipesSlurmClient where its commands are; slurm://user@login over ssh
    aws-batch:QUEUE           PipesAWSBatchClient
    ec2:TEMPLATE              PipesEC2Client

A setting is a keyword of the client's: `--set keep=true`, `BLOBPIPES_ON_KEEP=true`, or `keep = true` in a TOML file.
Flags win over the environment, and that over the file.
"""

from __future__ import annotations

import difflib
import inspect
import os
import re
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from blobpipes.clients.place_client import PipesPlaceClient
from blobpipes.errors import InvalidOptionError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ENV_PREFIX: Final = "BLOBPIPES_ON_"
# What the command line has flags of its own for, or what makes no sense there.
_OURS: Final = {"self", "env", "cwd", "url", "context_injector", "message_reader", "session_options", "client"}
_OURS_TOO: Final = {"forward_termination", "forward_stdio", "termination_timeout"}


def client_for(
    on: str, *, given: Sequence[str], file: str | None, environment: Mapping[str, str]
) -> PipesPlaceClient[Any]:
    """The client of a place.

    Args:
        given: `NAME=VALUE` of the command line.
        file: a TOML file of settings.

    Raises:
        InvalidOptionError: no such place or setting, or one that cannot be understood.
    """
    kind, make, implied = _place(on)
    known = _settings_of(make)
    texts = {name[len(ENV_PREFIX) :].lower(): text for name, text in environment.items() if name.startswith(ENV_PREFIX)}
    texts = {name: text for name, text in texts.items() if name in known}  # they may be for another place
    texts.update(_pair(each) for each in given)
    settings = {**_from_file(file), **texts}
    for name in settings:
        if name not in known:
            raise _unknown(kind, name, known)
    values = {name: _value(name, value, known[name]) for name, value in settings.items()}
    values = {**implied, **values}
    missing = next((name for name in _required(make) if name not in values), None)
    if missing is not None:
        raise InvalidOptionError(f"{on!r} needs the setting {missing!r}", remedy=f"Add --set {missing}=...")
    try:
        return make(**values)
    except (ValueError, TypeError) as error:
        if isinstance(error, InvalidOptionError):
            raise
        raise InvalidOptionError(f"--on {on}: {error}", remedy="Correct the place or its settings.") from error


def _place(on: str) -> tuple[str, Callable[..., PipesPlaceClient[Any]], dict[str, Any]]:
    """What it is, its client, and what its own text says of settings."""
    kind, colon, rest = on.partition(":")
    if kind == "ssh" and rest.startswith("//"):
        from blobpipes.clients.ssh import PipesSSHClient

        return kind, PipesSSHClient, _host(on)
    if kind == "slurm":
        from blobpipes.clients.slurm import PipesSlurmClient

        if rest.startswith("//"):
            return kind, PipesSlurmClient, _host(on)
        return kind, PipesSlurmClient, {"partition": rest} if rest else {}
    if kind == "aws-batch" and colon and rest:
        from blobpipes.clients.aws_batch import PipesAWSBatchClient

        return kind, PipesAWSBatchClient, {"queue": rest}
    if kind == "ec2" and colon and rest:
        from blobpipes.clients.ec2 import PipesEC2Client

        return kind, PipesEC2Client, {"launch_template": rest}
    raise InvalidOptionError(
        f"--on {on!r} is no place that runs jobs",
        remedy="Write ssh://USER@HOST, slurm, slurm:PARTITION, slurm://USER@LOGIN, aws-batch:QUEUE or ec2:TEMPLATE.",
    )


def _host(on: str) -> dict[str, Any]:
    try:
        parts = urlsplit(on)
        port = parts.port
    except ValueError as error:
        raise InvalidOptionError(f"--on {on!r}: {error}", remedy="Write ssh://USER@HOST:PORT.") from None
    if parts.password is not None or parts.path.strip("/") or parts.query or not parts.hostname:
        raise InvalidOptionError(
            f"--on {parts.scheme}://... names a user, a host and a port, and nothing else",
            remedy="Let ssh get in by a key or an agent, and write ssh://USER@HOST.",
        )
    host = parts.netloc.rpartition("@")[2].rpartition(":")[0] if port is not None else parts.netloc.rpartition("@")[2]
    user = f"{parts.username}@" if parts.username else ""
    return {"host": f"{user}{host.strip('[]')}", **({"port": port} if port is not None else {})}


# --- settings -----------------------------------------------------------------------------------------


def _settings_of(make: Callable[..., Any]) -> dict[str, str]:
    """The settings of a client, and the types that they are annotated with."""
    parameters = inspect.signature(make).parameters.values()
    return {each.name: str(each.annotation) for each in parameters if each.name not in _OURS | _OURS_TOO}


def _required(make: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(make).parameters.values()
    plain = [each for each in parameters if each.kind is not inspect.Parameter.VAR_KEYWORD]
    return [each.name for each in plain if each.default is inspect.Parameter.empty]


def _from_file(file: str | None) -> dict[str, Any]:
    if file is None:
        return {}
    try:
        return dict(tomllib.loads(Path(file).read_text(encoding="utf-8")))
    except OSError as error:
        raise InvalidOptionError(f"{file} cannot be read: {error.strerror}", remedy="Name a TOML file.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidOptionError(f"{file} is no TOML: {error}", remedy="Write lines such as: keep = true") from error


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise InvalidOptionError(f"--set {text!r} is not NAME=VALUE", remedy="Write for instance --set keep=true")
    return name.strip().replace("-", "_"), value


def _value(name: str, value: Any, annotation: str) -> Any:
    """Text as what the client takes; what a file gives has its type already."""
    if not isinstance(value, str):
        return value
    try:
        if annotation.startswith("int"):
            return int(value)
        if annotation.startswith("float"):
            return float(value)
        if annotation.startswith("bool"):
            return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}[value.lower()]
        if annotation.startswith("Sequence[str]"):
            return shlex.split(value)
        if annotation.startswith("Mapping[str, str]"):
            return dict(each.split("=", 1) for each in shlex.split(value))
    except (ValueError, KeyError):
        shown = re.sub(r" \| None$", "", annotation)
        raise InvalidOptionError(f"{name}={value!r} is no {shown}", remedy="Correct the value.") from None
    return value


def _unknown(kind: str, name: str, known: Mapping[str, str]) -> InvalidOptionError:
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {close[0]!r}?" if close else ""
    return InvalidOptionError(
        f"unknown setting {name!r} for {kind}{hint}", remedy=f"Known settings: {', '.join(sorted(known))}."
    )


# --- variables ----------------------------------------------------------------------------------------


def job_variables(given: Sequence[str]) -> dict[str, str]:
    """Of `--env NAME=VALUE`, and of `--env NAME` with the value that it has here.

    Raises:
        InvalidOptionError: it has none here.
    """
    variables = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals and name not in os.environ:
            raise InvalidOptionError(f"--env {name}: it is not set here", remedy=f"Write --env {name}=VALUE.")
        variables[name] = value if equals else os.environ[name]
    return variables
