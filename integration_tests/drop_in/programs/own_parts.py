"""Loaders, writers and channels of one's own, for a service that nobody else knows: here a folder."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster_pipes

FOLDER = Path(os.environ["FOLDER"])


class NotesParamsLoader(dagster_pipes.PipesParamsLoader):
    def is_dagster_pipes_process(self) -> bool:
        return True

    def load_context_params(self) -> dagster_pipes.PipesParams:
        return {"note": "context.note"}

    def load_messages_params(self) -> dagster_pipes.PipesParams:
        return {"folder": "chunks"}


class NotesContextLoader(dagster_pipes.PipesContextLoader):
    @contextmanager
    def load_context(self, params: dagster_pipes.PipesParams) -> Iterator[dagster_pipes.PipesContextData]:
        yield json.loads((FOLDER / params["note"]).read_text())


class NotesChannel(dagster_pipes.PipesBlobStoreMessageWriterChannel):
    def __init__(self, folder: Path, *, interval: float) -> None:
        super().__init__(interval=interval)
        self.folder = folder

    def upload_messages_chunk(self, payload, index) -> None:
        (self.folder / f"{index}.json").write_text(payload.read())


class NotesWriter(dagster_pipes.PipesBlobStoreMessageWriter[NotesChannel]):
    def make_channel(self, params: dagster_pipes.PipesParams) -> NotesChannel:
        return NotesChannel(FOLDER / params["folder"], interval=self.interval)

    def get_opened_extras(self) -> dagster_pipes.PipesExtras:
        return {"host": "of mine"}


class LinesChannel(dagster_pipes.PipesMessageWriterChannel):
    def __init__(self, path: Path) -> None:
        self.path = path

    def write_message(self, message: dagster_pipes.PipesMessage) -> None:
        with self.path.open("a") as file:
            file.write(json.dumps(message) + "\n")


class LinesWriter(dagster_pipes.PipesMessageWriter[LinesChannel]):
    @contextmanager
    def open(self, params: dagster_pipes.PipesParams) -> Iterator[LinesChannel]:
        assert self.get_opened_payload() == {"extras": {}}
        yield LinesChannel(FOLDER / "lines")


for writer in (NotesWriter(interval=1), LinesWriter()):
    with dagster_pipes.open_dagster_pipes(
        params_loader=NotesParamsLoader(), context_loader=NotesContextLoader(), message_writer=writer
    ) as pipes:
        pipes.log.info("by %s", type(writer).__name__)
    dagster_pipes.PipesContext.set(None)
