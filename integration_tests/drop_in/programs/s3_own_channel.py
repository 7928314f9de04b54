"""A channel that adds something to what the S3 channel does, in a writer that names its interval itself."""

import os
from pathlib import Path

import boto3
import dagster_pipes


class CountingChannel(dagster_pipes.PipesS3MessageWriterChannel):
    chunks = 0

    def upload_messages_chunk(self, payload, index) -> None:
        super().upload_messages_chunk(payload, index)
        CountingChannel.chunks += 1


class CountingWriter(dagster_pipes.PipesS3MessageWriter):
    def make_channel(self, params):
        return CountingChannel(
            client=self._client, bucket=params["bucket"], key_prefix=params.get("key_prefix"), interval=self.interval
        )

    def get_opened_extras(self):
        return {"writer": "counting"}


client = boto3.client("s3")
with dagster_pipes.open_dagster_pipes(
    context_loader=dagster_pipes.PipesS3ContextLoader(client=client),
    message_writer=CountingWriter(client=client, interval=1),
) as pipes:
    pipes.log.info("counted")
assert CountingChannel.chunks >= 1
Path(os.environ["FOLDER"], "counted").write_text("yes")
