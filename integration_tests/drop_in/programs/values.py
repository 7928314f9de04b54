"""Constants, types and small functions."""

import threading
import typing

import dagster_pipes

for name in ("DAGSTER_PIPES_CONTEXT_ENV_VAR", "DAGSTER_PIPES_MESSAGES_ENV_VAR", "ESCAPE_CHARACTER"):
    print(name, getattr(dagster_pipes, name))
print(dagster_pipes.DAGSTER_PIPES_CONTEXT_WIDGET_KEY, dagster_pipes.DAGSTER_PIPES_MESSAGES_WIDGET_KEY)
print(dagster_pipes.DAGSTER_PIPES_CONTEXT_ENV_VAR, dagster_pipes.DAGSTER_PIPES_MESSAGES_ENV_VAR)
print(dagster_pipes.PIPES_PROTOCOL_VERSION_FIELD, dagster_pipes.PIPES_PROTOCOL_VERSION)
print(sorted(typing.get_args(dagster_pipes.Method)), sorted(typing.get_args(dagster_pipes.PipesMetadataType)))

encoded = dagster_pipes.encode_env_var({"path": "/data/é", "n": [1, None]})
print(encoded, dagster_pipes.decode_env_var(encoded), dagster_pipes.encode_param({}))
for text in ("orders", "a/b", "a\\/b/c", "a\\\\/b", "a/", "", "é/\\x"):
    print(dagster_pipes.to_asset_key_path(text), dagster_pipes.ESCAPE_CHARACTER in text)

for kind in (
    dagster_pipes.PipesOpenedData,
    dagster_pipes.PipesMessage,
    dagster_pipes.PipesContextData,
    dagster_pipes.PipesPartitionKeyRange,
    dagster_pipes.PipesTimeWindow,
    dagster_pipes.PipesDataProvenance,
    dagster_pipes.PipesMetadataValue,
    dagster_pipes.PipesException,
    dagster_pipes.PipesLogWriterOpenedData,
):
    print(kind.__name__, sorted(key.removeprefix("_PipesMessage") for key in kind.__annotations__))
for variable in (
    dagster_pipes.T_MessageChannel,
    dagster_pipes.T_LogChannel,
    dagster_pipes.T_BlobStoreMessageWriterChannel,
):
    print(variable.__name__)

assert issubclass(dagster_pipes.DagsterPipesWarning, Warning)
thread = dagster_pipes.ExcThread(target=lambda text: print("in a thread:", text), args=("é",), daemon=True)
assert isinstance(thread, threading.Thread)
thread.start()
thread.join()
