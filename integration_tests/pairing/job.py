"""The external process of every pairing, with either package: `python job.py SCENE`.

A script and no module, because its interpreter sees only one package and this folder. Environment:
PAIRING_PACKAGE (blobpipes, dagster_pipes), PAIRING_FLAVOUR (file, dir, s3, gs, az), PAIRING_DROP_IN (whether
blobpipes is used as dagster_pipes).
"""

from __future__ import annotations

import importlib
import logging
import os
import signal
import subprocess
import sys
import time
from typing import Any

import story

pipes_package = importlib.import_module(os.environ["PAIRING_PACKAGE"])
IS_OFFICIAL = pipes_package.__name__ == "dagster_pipes" or os.environ.get("PAIRING_DROP_IN") == "1"
FLAVOUR = os.environ["PAIRING_FLAVOUR"]


def main(scene: str) -> None:
    known = {"whole": whole, "several": several, "steady": steady, "levels": levels, "captured": captured}
    known |= {"restarted": restarted}
    known.get(scene, simple)()


def whole() -> None:
    """One asset; everything that can be said; a normal end."""
    with opened() as pipes:
        pipes.report_custom_message({"seen": seen(pipes), "params": params()})
        for level, text in story.LOGS:
            pipes.log.log(level, text)
        metadata = {label: value.given for label, value in story.METADATA.items()}
        pipes.report_asset_materialization(metadata=metadata, data_version="v1")
        pipes.report_asset_check("rows", True, metadata={"count": 3})
        pipes.report_asset_check("dates", passed=False, severity="WARN", metadata=None)
        for payload in payloads():
            pipes.report_custom_message(payload)
        for stream, text in story.STREAMS:
            pipes.log_external_stream(stream, text)


def several() -> None:
    """Several assets, whose keys are echoed as they came; nothing is partitioned; the end is an exception."""
    try:
        with opened() as pipes:
            pipes.report_custom_message({"seen": seen(pipes)})
            for key in pipes.asset_keys:
                pipes.report_asset_materialization(asset_key=key)
            pipes.report_asset_check("known", True, asset_key=story.CHECKED)
            fail()
    except ValueError:
        print("the job went on")


def steady() -> None:
    """A hundred and twenty messages in thirty seconds."""
    with opened() as pipes:
        for number in range(120):
            pipes.log.info("message %d", number)
            time.sleep(0.25)


def simple() -> None:
    """What it sees and one line; a check where the process was launched for nothing else."""
    with opened() as pipes:
        pipes.report_custom_message({"seen": seen(pipes)})
        pipes.log.info("said")
        if pipes.is_asset_step and not pipes.asset_keys:
            pipes.report_asset_check("rows", True, asset_key="orders")
        elif pipes.is_asset_step:
            pipes.report_asset_materialization({"rows": 3})


def levels() -> None:
    """Levels that are none of the five."""
    logging.addLevelName(26, "NOTICE")
    with opened() as pipes:
        for level in (1, 25, 26, 45, 99):
            pipes.log.log(level, "level %d", level)


def captured() -> None:
    """Ordinary output, also of a child, where it is asked for."""
    with opened() as pipes:
        print("printed", flush=True)
        subprocess.run(["/bin/sh", "-c", "echo of a child >&2"], check=True)
        pipes.log.info("said")


def restarted() -> None:
    """Killed once its first life is stored; whoever starts it again continues."""
    with opened() as pipes:
        life = "the second life" if os.environ.get("PAIRING_LIFE") == "2" else "the first life"
        pipes.log.error(life)
        if life == "the first life":
            assert pipes._channel.flush(60)
            os.kill(os.getpid(), signal.SIGKILL)


def fail() -> None:
    try:
        try:
            1 / 0  # noqa: B018
        except ZeroDivisionError:
            {}["rows"]
    except KeyError as error:
        raise ValueError("no rows") from error


def payloads() -> list[Any]:
    return story.PAYLOADS if FLAVOUR == "file" else [*story.PAYLOADS, story.LARGEST]


def seen(pipes: Any) -> dict[str, Any]:
    """The whole context, by the properties that a job uses."""
    found = {name: getattr(pipes, name) for name in ("run_id", "job_name", "retry_number", "extras")}
    found["asset_keys"] = list(pipes.asset_keys) if pipes.is_asset_step else None
    if pipes.is_asset_step:
        found["code_version_by_asset_key"] = pipes.code_version_by_asset_key
        found["provenance_by_asset_key"] = pipes.provenance_by_asset_key
    if pipes.is_partition_step:
        names = ("partition_key", "partition_key_range", "partition_time_window")
        found |= {name: getattr(pipes, name) for name in names}
    return found


def params() -> dict[str, Any]:
    """What this process was handed to find both places."""
    names = {"context": "DAGSTER_PIPES_CONTEXT", "messages": "DAGSTER_PIPES_MESSAGES"}
    return {what: pipes_package.decode_param(os.environ[name]) for what, name in names.items()}


def opened() -> Any:
    return pipes_package.open_dagster_pipes(**(halves() if IS_OFFICIAL else {}))


def halves() -> dict[str, Any]:
    """The official loaders and writers, which the program has to name. Ours are found by themselves."""
    if FLAVOUR == "file":
        return {}
    if FLAVOUR == "dir":
        return {"message_writer": pipes_package.PipesUnityCatalogVolumesMessageWriter(interval=0)}
    name, client = {"s3": ("S3", s3), "gs": ("GCS", gcs), "az": ("AzureBlobStorage", azure)}[FLAVOUR]
    made = client()
    return {
        "context_loader": getattr(pipes_package, f"Pipes{name}ContextLoader")(client=made),
        "message_writer": getattr(pipes_package, f"Pipes{name}MessageWriter")(client=made, interval=0),
    }


def s3() -> Any:
    import boto3

    return boto3.client("s3")


def gcs() -> Any:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud.storage import Client

    return Client(project="test", credentials=AnonymousCredentials())


def azure() -> Any:
    from azure.storage.blob import BlobServiceClient

    return BlobServiceClient.from_connection_string(os.environ["AZURE_STORAGE_CONNECTION_STRING"])


if __name__ == "__main__":
    main(sys.argv[1])
