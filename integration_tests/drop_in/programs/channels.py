"""Channels by hand, without a context."""

import io
import os
import sys
from pathlib import Path

import dagster_pipes

FOLDER = Path(os.environ["FOLDER"])


def message(text: str) -> dagster_pipes.PipesMessage:
    field, version = dagster_pipes.PIPES_PROTOCOL_VERSION_FIELD, dagster_pipes.PIPES_PROTOCOL_VERSION
    return {field: version, "method": "log", "params": {"message": text, "level": "INFO"}}


opened = {**message(""), "method": "opened", "params": {"extras": {}}}
messages = [opened, message("é"), message("two\nlines"), message('"')]

files = dagster_pipes.PipesFileMessageWriterChannel(str(FOLDER / "lines"))
stream = dagster_pipes.PipesStreamMessageWriterChannel(sys.stdout)
buffer = io.StringIO()
buffered = dagster_pipes.PipesBufferedStreamMessageWriterChannel(buffer)
chunks = dagster_pipes.PipesBufferedFilesystemMessageWriterChannel(str(FOLDER / "chunks"), interval=1)
with chunks.buffered_upload_loop():
    for each in messages:
        for channel in (files, stream, buffered, chunks):
            assert isinstance(channel, dagster_pipes.PipesMessageWriterChannel)
            channel.write_message(each)
assert not buffer.getvalue()
buffered.flush()
sys.stdout.write(buffer.getvalue())
