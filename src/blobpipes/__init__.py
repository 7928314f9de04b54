"""The front door: every public name, none of its weight.

`from blobpipes import X` loads the module behind `X` when it is first asked for, so a program pays only
for the side of the pipe that it uses, and `import blobpipes` loads no third-party module at all.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:  # the same table for type checkers and editors; a test compares the two
    from blobpipes.chunklog.options import LogOptions as LogOptions
    from blobpipes.clients.aws_batch import PipesAWSBatchClient as PipesAWSBatchClient
    from blobpipes.clients.client import PipesClient as PipesClient
    from blobpipes.clients.client import PipesClientCompletedInvocation as PipesClientCompletedInvocation
    from blobpipes.clients.ec2 import PipesEC2Client as PipesEC2Client
    from blobpipes.clients.job import RunPolicy as RunPolicy
    from blobpipes.clients.place import Cause as Cause
    from blobpipes.clients.place import JobEnd as JobEnd
    from blobpipes.clients.place import JobSpec as JobSpec
    from blobpipes.clients.place import JobState as JobState
    from blobpipes.clients.place import Place as Place
    from blobpipes.clients.place import Urgency as Urgency
    from blobpipes.clients.place_client import PipesPlaceClient as PipesPlaceClient
    from blobpipes.clients.slurm import PipesSlurmClient as PipesSlurmClient
    from blobpipes.clients.ssh import PipesSSHClient as PipesSSHClient
    from blobpipes.clients.subprocess import PipesSubprocessClient as PipesSubprocessClient
    from blobpipes.errors import BlobpipesError as BlobpipesError
    from blobpipes.errors import DagsterPipesError as DagsterPipesError
    from blobpipes.errors import DagsterPipesWarning as DagsterPipesWarning
    from blobpipes.errors import DamagedArchiveError as DamagedArchiveError
    from blobpipes.errors import FencedError as FencedError
    from blobpipes.errors import ForkedError as ForkedError
    from blobpipes.errors import IncompleteError as IncompleteError
    from blobpipes.errors import InvalidOptionError as InvalidOptionError
    from blobpipes.errors import InvalidUrlError as InvalidUrlError
    from blobpipes.errors import JobFailedError as JobFailedError
    from blobpipes.errors import JobStillRunningError as JobStillRunningError
    from blobpipes.errors import LaunchError as LaunchError
    from blobpipes.errors import LogSealedError as LogSealedError
    from blobpipes.errors import MalformedMessageError as MalformedMessageError
    from blobpipes.errors import MessageTooLargeError as MessageTooLargeError
    from blobpipes.errors import MissingBackendError as MissingBackendError
    from blobpipes.errors import NeverOpenedError as NeverOpenedError
    from blobpipes.errors import NotArchivedError as NotArchivedError
    from blobpipes.errors import PlaceDeniedError as PlaceDeniedError
    from blobpipes.errors import PlaceError as PlaceError
    from blobpipes.errors import PlaceFullError as PlaceFullError
    from blobpipes.errors import PlaceMissingError as PlaceMissingError
    from blobpipes.errors import PlaceUnavailableError as PlaceUnavailableError
    from blobpipes.errors import SessionExistsError as SessionExistsError
    from blobpipes.errors import SessionNotFoundError as SessionNotFoundError
    from blobpipes.errors import StoreDeniedError as StoreDeniedError
    from blobpipes.errors import StoreError as StoreError
    from blobpipes.errors import StorePlaceMissingError as StorePlaceMissingError
    from blobpipes.errors import StoreUnavailableError as StoreUnavailableError
    from blobpipes.errors import UndeliveredError as UndeliveredError
    from blobpipes.errors import UnserializableError as UnserializableError
    from blobpipes.errors import WriterError as WriterError
    from blobpipes.external.blob_store_channel import (
        PipesBlobStoreMessageWriterChannel as PipesBlobStoreMessageWriterChannel,
    )
    from blobpipes.external.blob_store_channel import (
        PipesBufferedFilesystemMessageWriterChannel as PipesBufferedFilesystemMessageWriterChannel,
    )
    from blobpipes.external.channels import (
        PipesBufferedStreamMessageWriterChannel as PipesBufferedStreamMessageWriterChannel,
    )
    from blobpipes.external.channels import PipesFileMessageWriterChannel as PipesFileMessageWriterChannel
    from blobpipes.external.channels import PipesMessageWriterChannel as PipesMessageWriterChannel
    from blobpipes.external.channels import PipesStreamMessageWriterChannel as PipesStreamMessageWriterChannel
    from blobpipes.external.context import PipesContext as PipesContext
    from blobpipes.external.context_loaders import PipesBlobStoreContextLoader as PipesBlobStoreContextLoader
    from blobpipes.external.context_loaders import PipesContextLoader as PipesContextLoader
    from blobpipes.external.context_loaders import PipesDefaultContextLoader as PipesDefaultContextLoader
    from blobpipes.external.drop_in.clouds import (
        PipesAzureBlobStorageContextLoader as PipesAzureBlobStorageContextLoader,
    )
    from blobpipes.external.drop_in.clouds import (
        PipesAzureBlobStorageMessageWriter as PipesAzureBlobStorageMessageWriter,
    )
    from blobpipes.external.drop_in.clouds import (
        PipesAzureBlobStorageMessageWriterChannel as PipesAzureBlobStorageMessageWriterChannel,
    )
    from blobpipes.external.drop_in.clouds import PipesGCSContextLoader as PipesGCSContextLoader
    from blobpipes.external.drop_in.clouds import PipesGCSMessageWriter as PipesGCSMessageWriter
    from blobpipes.external.drop_in.clouds import PipesGCSMessageWriterChannel as PipesGCSMessageWriterChannel
    from blobpipes.external.drop_in.clouds import PipesS3ContextLoader as PipesS3ContextLoader
    from blobpipes.external.drop_in.clouds import PipesS3MessageWriter as PipesS3MessageWriter
    from blobpipes.external.drop_in.clouds import PipesS3MessageWriterChannel as PipesS3MessageWriterChannel
    from blobpipes.external.drop_in.databricks import (
        PipesDatabricksNotebookWidgetsParamsLoader as PipesDatabricksNotebookWidgetsParamsLoader,
    )
    from blobpipes.external.drop_in.databricks import PipesDbfsContextLoader as PipesDbfsContextLoader
    from blobpipes.external.drop_in.databricks import PipesDbfsMessageWriter as PipesDbfsMessageWriter
    from blobpipes.external.drop_in.databricks import (
        PipesUnityCatalogVolumesContextLoader as PipesUnityCatalogVolumesContextLoader,
    )
    from blobpipes.external.drop_in.databricks import (
        PipesUnityCatalogVolumesMessageWriter as PipesUnityCatalogVolumesMessageWriter,
    )
    from blobpipes.external.drop_in.names import DAGSTER_PIPES_CLI_PARSER as DAGSTER_PIPES_CLI_PARSER
    from blobpipes.external.drop_in.names import (
        DAGSTER_PIPES_CONTEXT_CLI_ARGUMENT as DAGSTER_PIPES_CONTEXT_CLI_ARGUMENT,
    )
    from blobpipes.external.drop_in.names import DAGSTER_PIPES_CONTEXT_ENV_VAR as DAGSTER_PIPES_CONTEXT_ENV_VAR
    from blobpipes.external.drop_in.names import DAGSTER_PIPES_CONTEXT_WIDGET_KEY as DAGSTER_PIPES_CONTEXT_WIDGET_KEY
    from blobpipes.external.drop_in.names import (
        DAGSTER_PIPES_MESSAGES_CLI_ARGUMENT as DAGSTER_PIPES_MESSAGES_CLI_ARGUMENT,
    )
    from blobpipes.external.drop_in.names import DAGSTER_PIPES_MESSAGES_ENV_VAR as DAGSTER_PIPES_MESSAGES_ENV_VAR
    from blobpipes.external.drop_in.names import DAGSTER_PIPES_MESSAGES_WIDGET_KEY as DAGSTER_PIPES_MESSAGES_WIDGET_KEY
    from blobpipes.external.drop_in.names import ESCAPE_CHARACTER as ESCAPE_CHARACTER
    from blobpipes.external.drop_in.names import PIPES_PROTOCOL_VERSION as PIPES_PROTOCOL_VERSION
    from blobpipes.external.drop_in.names import PIPES_PROTOCOL_VERSION_FIELD as PIPES_PROTOCOL_VERSION_FIELD
    from blobpipes.external.drop_in.names import ExcThread as ExcThread
    from blobpipes.external.drop_in.names import decode_env_var as decode_env_var
    from blobpipes.external.drop_in.names import encode_env_var as encode_env_var
    from blobpipes.external.drop_in.names import to_asset_key_path as to_asset_key_path
    from blobpipes.external.drop_in.prefect import PipesPrefectLogsMessageWriter as PipesPrefectLogsMessageWriter
    from blobpipes.external.drop_in.prefect import (
        PipesPrefectLogsMessageWriterChannel as PipesPrefectLogsMessageWriterChannel,
    )
    from blobpipes.external.log_capture import PipesDefaultLogWriter as PipesDefaultLogWriter
    from blobpipes.external.log_capture import PipesDefaultLogWriterChannel as PipesDefaultLogWriterChannel
    from blobpipes.external.log_capture import PipesLogWriter as PipesLogWriter
    from blobpipes.external.log_capture import PipesLogWriterChannel as PipesLogWriterChannel
    from blobpipes.external.log_capture import PipesLogWriterOpenedData as PipesLogWriterOpenedData
    from blobpipes.external.log_capture import PipesStdioFileLogWriter as PipesStdioFileLogWriter
    from blobpipes.external.log_capture import PipesStdioFileLogWriterChannel as PipesStdioFileLogWriterChannel
    from blobpipes.external.log_capture import PipesStdioLogWriter as PipesStdioLogWriter
    from blobpipes.external.log_capture import PipesStdioLogWriterChannel as PipesStdioLogWriterChannel
    from blobpipes.external.log_capture import T_LogChannel as T_LogChannel
    from blobpipes.external.message_writers import PipesBlobStoreMessageWriter as PipesBlobStoreMessageWriter
    from blobpipes.external.message_writers import PipesDefaultMessageWriter as PipesDefaultMessageWriter
    from blobpipes.external.message_writers import PipesMessageWriter as PipesMessageWriter
    from blobpipes.external.message_writers import PipesOpenedData as PipesOpenedData
    from blobpipes.external.message_writers import T_BlobStoreMessageWriterChannel as T_BlobStoreMessageWriterChannel
    from blobpipes.external.message_writers import T_MessageChannel as T_MessageChannel
    from blobpipes.external.open import open_dagster_pipes as open_dagster_pipes
    from blobpipes.external.params_loaders import PipesCliArgsParamsLoader as PipesCliArgsParamsLoader
    from blobpipes.external.params_loaders import PipesEnvVarParamsLoader as PipesEnvVarParamsLoader
    from blobpipes.external.params_loaders import PipesMappingParamsLoader as PipesMappingParamsLoader
    from blobpipes.external.params_loaders import PipesParamsLoader as PipesParamsLoader
    from blobpipes.orchestration.blob_store_reader import PipesBlobStoreMessageReader as PipesBlobStoreMessageReader
    from blobpipes.orchestration.context_injectors import PipesBlobStoreContextInjector as PipesBlobStoreContextInjector
    from blobpipes.orchestration.context_injectors import PipesContextInjector as PipesContextInjector
    from blobpipes.orchestration.context_injectors import PipesEnvContextInjector as PipesEnvContextInjector
    from blobpipes.orchestration.context_injectors import PipesFileContextInjector as PipesFileContextInjector
    from blobpipes.orchestration.context_injectors import PipesTempFileContextInjector as PipesTempFileContextInjector
    from blobpipes.orchestration.file_readers import PipesFileMessageReader as PipesFileMessageReader
    from blobpipes.orchestration.file_readers import PipesTempFileMessageReader as PipesTempFileMessageReader
    from blobpipes.orchestration.handler import PipesEvent as PipesEvent
    from blobpipes.orchestration.handler import PipesMessageHandler as PipesMessageHandler
    from blobpipes.orchestration.log_readers import PipesChunkedLogReader as PipesChunkedLogReader
    from blobpipes.orchestration.log_readers import PipesLogReader as PipesLogReader
    from blobpipes.orchestration.message_readers import PipesCompositeMessageReader as PipesCompositeMessageReader
    from blobpipes.orchestration.message_readers import PipesMessageReader as PipesMessageReader
    from blobpipes.orchestration.open import open_pipes_session as open_pipes_session
    from blobpipes.orchestration.problems import SessionProblem as SessionProblem
    from blobpipes.orchestration.report import PipesSessionReport as PipesSessionReport
    from blobpipes.orchestration.report import WriterReport as WriterReport
    from blobpipes.orchestration.results import AssetCheckResult as AssetCheckResult
    from blobpipes.orchestration.results import MaterializeResult as MaterializeResult
    from blobpipes.orchestration.results import PipesExecutionResult as PipesExecutionResult
    from blobpipes.orchestration.run_context import RunContext as RunContext
    from blobpipes.orchestration.session import PipesSession as PipesSession
    from blobpipes.orchestration.stdio import PipesStdioMessageReader as PipesStdioMessageReader
    from blobpipes.orchestration.stdio import extract_message_or_forward_to_file as extract_message_or_forward_to_file
    from blobpipes.orchestration.stdio import (
        extract_message_or_forward_to_stdout as extract_message_or_forward_to_stdout,
    )
    from blobpipes.orchestration.threaded_reader import PipesThreadedMessageReader as PipesThreadedMessageReader
    from blobpipes.wire.context import PipesContextData as PipesContextData
    from blobpipes.wire.context import PipesDataProvenance as PipesDataProvenance
    from blobpipes.wire.context import PipesPartitionKeyRange as PipesPartitionKeyRange
    from blobpipes.wire.context import PipesTimeWindow as PipesTimeWindow
    from blobpipes.wire.envelope import Method as Method
    from blobpipes.wire.envelope import PipesMessage as PipesMessage
    from blobpipes.wire.exceptions import PipesException as PipesException
    from blobpipes.wire.metadata import PIPES_METADATA_TYPE_INFER as PIPES_METADATA_TYPE_INFER
    from blobpipes.wire.metadata import PipesMetadataRawValue as PipesMetadataRawValue
    from blobpipes.wire.metadata import PipesMetadataType as PipesMetadataType
    from blobpipes.wire.metadata import PipesMetadataValue as PipesMetadataValue
    from blobpipes.wire.params import PipesExtras as PipesExtras
    from blobpipes.wire.params import PipesParams as PipesParams
    from blobpipes.wire.params import decode_param as decode_param
    from blobpipes.wire.params import encode_param as encode_param
    from blobpipes.wire.payloads import PipesAssetCheckSeverity as PipesAssetCheckSeverity

    __version__: str

_NAMES: Final = """
# the job's side
external.open                      open_dagster_pipes
external.context                   PipesContext
external.params_loaders            PipesCliArgsParamsLoader PipesEnvVarParamsLoader PipesMappingParamsLoader
external.params_loaders            PipesParamsLoader
external.context_loaders           PipesBlobStoreContextLoader PipesContextLoader PipesDefaultContextLoader
external.message_writers           PipesBlobStoreMessageWriter PipesDefaultMessageWriter PipesMessageWriter
external.message_writers           PipesOpenedData T_BlobStoreMessageWriterChannel T_MessageChannel
external.channels                  PipesBufferedStreamMessageWriterChannel PipesFileMessageWriterChannel
external.channels                  PipesMessageWriterChannel PipesStreamMessageWriterChannel
external.blob_store_channel        PipesBlobStoreMessageWriterChannel PipesBufferedFilesystemMessageWriterChannel
external.log_capture               PipesDefaultLogWriter PipesDefaultLogWriterChannel PipesLogWriter
external.log_capture               PipesLogWriterChannel PipesLogWriterOpenedData PipesStdioFileLogWriter
external.log_capture               PipesStdioFileLogWriterChannel PipesStdioLogWriter PipesStdioLogWriterChannel
external.log_capture               T_LogChannel

# the job's side, names of the official package for single clouds and old code
external.drop_in.clouds            PipesAzureBlobStorageContextLoader PipesAzureBlobStorageMessageWriter
external.drop_in.clouds            PipesAzureBlobStorageMessageWriterChannel PipesGCSContextLoader
external.drop_in.clouds            PipesGCSMessageWriter PipesGCSMessageWriterChannel PipesS3ContextLoader
external.drop_in.clouds            PipesS3MessageWriter PipesS3MessageWriterChannel
external.drop_in.databricks        PipesDatabricksNotebookWidgetsParamsLoader PipesDbfsContextLoader
external.drop_in.databricks        PipesDbfsMessageWriter PipesUnityCatalogVolumesContextLoader
external.drop_in.databricks        PipesUnityCatalogVolumesMessageWriter
external.drop_in.prefect           PipesPrefectLogsMessageWriter PipesPrefectLogsMessageWriterChannel
external.drop_in.names             DAGSTER_PIPES_CLI_PARSER DAGSTER_PIPES_CONTEXT_CLI_ARGUMENT
external.drop_in.names             DAGSTER_PIPES_CONTEXT_ENV_VAR DAGSTER_PIPES_CONTEXT_WIDGET_KEY
external.drop_in.names             DAGSTER_PIPES_MESSAGES_CLI_ARGUMENT DAGSTER_PIPES_MESSAGES_ENV_VAR
external.drop_in.names             DAGSTER_PIPES_MESSAGES_WIDGET_KEY ESCAPE_CHARACTER ExcThread PIPES_PROTOCOL_VERSION
external.drop_in.names             PIPES_PROTOCOL_VERSION_FIELD decode_env_var encode_env_var to_asset_key_path

# the caller's side
orchestration.open                 open_pipes_session
orchestration.session              PipesSession
orchestration.run_context          RunContext
orchestration.report               PipesSessionReport WriterReport
orchestration.problems             SessionProblem
orchestration.context_injectors    PipesBlobStoreContextInjector PipesContextInjector PipesEnvContextInjector
orchestration.context_injectors    PipesFileContextInjector PipesTempFileContextInjector
orchestration.message_readers      PipesCompositeMessageReader PipesMessageReader
orchestration.blob_store_reader    PipesBlobStoreMessageReader
orchestration.file_readers         PipesFileMessageReader PipesTempFileMessageReader
orchestration.threaded_reader      PipesThreadedMessageReader
orchestration.stdio                PipesStdioMessageReader
orchestration.stdio                extract_message_or_forward_to_file extract_message_or_forward_to_stdout
orchestration.log_readers          PipesChunkedLogReader PipesLogReader
orchestration.handler              PipesEvent PipesMessageHandler
orchestration.results              AssetCheckResult MaterializeResult PipesExecutionResult

# places that run jobs
clients.client                     PipesClient PipesClientCompletedInvocation
clients.place_client               PipesPlaceClient
clients.subprocess                 PipesSubprocessClient
clients.aws_batch                  PipesAWSBatchClient
clients.ec2                        PipesEC2Client
clients.ssh                        PipesSSHClient
clients.slurm                      PipesSlurmClient
clients.job                        RunPolicy
clients.place                      Cause JobEnd JobSpec JobState Place Urgency

# the protocol's values
wire.params                        PipesExtras PipesParams decode_param encode_param
wire.envelope                      Method PipesMessage
wire.exceptions                    PipesException
wire.context                       PipesContextData PipesDataProvenance PipesPartitionKeyRange PipesTimeWindow
wire.metadata                      PIPES_METADATA_TYPE_INFER PipesMetadataRawValue PipesMetadataType
wire.metadata                      PipesMetadataValue
wire.payloads                      PipesAssetCheckSeverity

# settings, on either side
chunklog.options                   LogOptions

# what can go wrong
errors                             BlobpipesError DagsterPipesError DagsterPipesWarning FencedError ForkedError
errors                             IncompleteError InvalidOptionError InvalidUrlError JobFailedError
errors                             JobStillRunningError LaunchError
errors                             LogSealedError MalformedMessageError MessageTooLargeError MissingBackendError
errors                             NeverOpenedError PlaceDeniedError PlaceError PlaceFullError PlaceMissingError
errors                             PlaceUnavailableError SessionExistsError SessionNotFoundError StoreDeniedError
errors                             StoreError StorePlaceMissingError StoreUnavailableError UndeliveredError
errors                             UnserializableError WriterError DamagedArchiveError NotArchivedError
"""
_HOMES: Final = {
    name: f"blobpipes.{module}"
    for line in _NAMES.splitlines()
    if line and not line.startswith("#")
    for module, *names in [line.split()]
    for name in names
}

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
