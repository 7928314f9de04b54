"""What a job and its children print: into messages, into files, and to a log writer of one's own."""

import os
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import dagster_pipes

FOLDER = Path(os.environ["FOLDER"])


class ShoutingChannel(dagster_pipes.PipesStdioLogWriterChannel):
    def write_chunk(self, chunk: str) -> None:
        with (FOLDER / f"shouted-{self.stream}").open("a") as file:
            file.write(chunk.upper())


class ShoutingWriter(dagster_pipes.PipesStdioLogWriter[ShoutingChannel]):
    def make_channel(self, params: dagster_pipes.PipesParams, stream: str) -> ShoutingChannel:
        return ShoutingChannel(stream=stream, interval=0.2, name=f"shouting {stream}")


def say(text: str) -> None:
    print(text, "é", flush=True)
    subprocess.run(["echo", text, "from a child"], check=True)
    print(text, "wrong", file=sys.stderr, flush=True)


with dagster_pipes.open_dagster_pipes() as pipes:
    say("captured")
    pipes.log.info("done")

with ExitStack() as stack:
    writer = dagster_pipes.PipesStdioFileLogWriter(interval=0.2)
    assert isinstance(writer, dagster_pipes.PipesLogWriter)
    assert writer.get_opened_payload() == {"extras": {}}
    stack.enter_context(writer.open({"logs_dir": str(FOLDER / "logs")}))
    say("filed")

with ShoutingWriter().open({}):
    say("shouted")

one: dagster_pipes.PipesLogWriterChannel = dagster_pipes.PipesStdioFileLogWriterChannel(
    str(FOLDER / "alone"), "stdout", "alone", 0.2
)
with one.capture():
    say("alone")

kept: list[dagster_pipes.PipesMessage] = []


class KeepingChannel(dagster_pipes.PipesMessageWriterChannel):
    def write_message(self, message: dagster_pipes.PipesMessage) -> None:
        kept.append(message)


default = dagster_pipes.PipesDefaultLogWriter(KeepingChannel(), interval=0.2)
channel = default.make_channel({}, "stderr")
assert isinstance(channel, dagster_pipes.PipesDefaultLogWriterChannel)
with channel.capture():
    say("kept")
(FOLDER / "kept").write_text("".join(each["params"]["text"] for each in kept))
