"""Databricks: files on DBFS and in Unity Catalog volumes, and params from notebook widgets.

A job with a Spark Python task needs none of the latter: it gets its params as arguments, a job cluster's environment
as variables, and `open_dagster_pipes()` finds both. Everything of Databricks is imported where it is needed.
"""

from __future__ import annotations

import posixpath
import warnings
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

from blobpipes.errors import DagsterPipesError, DagsterPipesWarning
from blobpipes.external.addresses import PATH, lane_folder, text_param
from blobpipes.external.blob_store_channel import PipesBufferedFilesystemMessageWriterChannel
from blobpipes.external.context_loaders import PipesContextLoader, read_context_file
from blobpipes.external.message_writers import PipesBlobStoreMessageWriter
from blobpipes.external.params_loaders import PipesParamsLoader
from blobpipes.wire.context import PipesContextData
from blobpipes.wire.params import CONTEXT_ENV_VAR, MESSAGES_ENV_VAR, PipesExtras, PipesParams, decode_params

MOUNT: Final = "/dbfs"  # where every cluster has DBFS among its files
_USAGE_TAGS: Final = "spark.databricks.clusterUsageTags"


class PipesDbfsContextLoader(PipesContextLoader):
    """Reads the context from the DBFS file that the param `path` names."""

    def load_context(self, params: PipesParams) -> AbstractContextManager[PipesContextData]:
        return nullcontext(read_context_file(_mounted(text_param(params, PATH))))


class PipesDbfsMessageWriter(PipesBlobStoreMessageWriter[PipesBufferedFilesystemMessageWriterChannel]):
    """Writes messages as numbered files into the DBFS directory that the param `path` names."""

    def make_channel(self, params: PipesParams) -> PipesBufferedFilesystemMessageWriterChannel:
        return _files(_mounted(text_param(params, PATH)), params)

    def get_opened_extras(self) -> PipesExtras:
        """Where the cluster leaves its driver's logs, as `cluster_driver_log_root`, if it delivers any.

        Dagster's readers copy these logs from there. Without Spark, or if it does not tell, the job goes on and
        a warning says that the logs will not be seen.
        """
        try:
            conf = _spark_conf()
            if not conf.get(f"{_USAGE_TAGS}.clusterLogDeliveryEnabled"):
                return {}
            destination, cluster = (conf.get(f"{_USAGE_TAGS}.{tag}") for tag in ("clusterLogDestination", "clusterId"))
        except Exception as error:  # noqa: BLE001 - py4j's errors cannot be named without py4j
            warnings.warn(
                f"the driver's logs will not be seen in the orchestration process: {error}",
                DagsterPipesWarning,
                stacklevel=2,
            )
            return {}
        return {"cluster_driver_log_root": f"{destination}/{cluster}/driver"}


class PipesUnityCatalogVolumesContextLoader(PipesContextLoader):
    """Reads the context from the file in a volume that the param `path` names."""

    def load_context(self, params: PipesParams) -> AbstractContextManager[PipesContextData]:
        return nullcontext(read_context_file(text_param(params, PATH)))


class PipesUnityCatalogVolumesMessageWriter(PipesBlobStoreMessageWriter[PipesBufferedFilesystemMessageWriterChannel]):
    """Writes messages as numbered files into the directory in a volume that the param `path` names."""

    def make_channel(self, params: PipesParams) -> PipesBufferedFilesystemMessageWriterChannel:
        return _files(text_param(params, PATH), params)


class PipesDatabricksNotebookWidgetsParamsLoader(PipesParamsLoader):
    """Params from the widgets of a notebook task, its base parameters.

    Args:
        widgets: `dbutils.widgets`; `dbutils` itself is taken, too.
    """

    def __init__(self, widgets: Any) -> None:
        self.widgets = getattr(widgets, "widgets", widgets)

    def is_dagster_pipes_process(self) -> bool:
        return self._value(CONTEXT_ENV_VAR) is not None

    def load_context_params(self) -> PipesParams:
        return self._load(CONTEXT_ENV_VAR)

    def load_messages_params(self) -> PipesParams:
        return self._load(MESSAGES_ENV_VAR)

    def _load(self, key: str) -> PipesParams:
        value = self._value(key)
        if value is None:
            raise DagsterPipesError(
                f"the widget {key} is absent",
                remedy="Give the notebook task both values of the session's get_bootstrap_env_vars() as parameters.",
            )
        return decode_params(value, name=f"the widget {key}")

    def _value(self, key: str) -> str | None:
        """None where there is no such widget. Outside a job `dbutils` raises then, an error of the Java side."""
        try:
            value: str | None = self.widgets.get(key)
        except Exception as error:
            if "InputWidgetNotDefined" in f"{type(error).__name__}: {error}":
                return None
            raise
        return value


def _files(path: str, params: PipesParams) -> PipesBufferedFilesystemMessageWriterChannel:
    return PipesBufferedFilesystemMessageWriterChannel(posixpath.join(path, lane_folder(params)))


def _mounted(path: str) -> str:
    return posixpath.join(MOUNT, path.lstrip("/"))


def _spark_conf() -> Any:
    from pyspark.sql import SparkSession

    session = SparkSession.getActiveSession()
    if session is None:
        raise DagsterPipesError("no Spark session is active", remedy="Open the pipe on a cluster's driver.")
    return session.conf
