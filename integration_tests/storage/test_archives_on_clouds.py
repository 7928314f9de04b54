"""Compressed chunks and archives on each cloud's own protocol: bytes come back as they went, under whatever name."""

from __future__ import annotations

from blobpipes.chunklog.layout import ARCHIVE_KEY, SESSION_KEY
from blobpipes.external.message_writers import PipesBlobStoreMessageWriter
from blobpipes.orchestration.archive import archive
from blobpipes.orchestration.catalog import SessionCatalog
from blobpipes.orchestration.follow import Followed, SessionFollower
from blobpipes.orchestration.open import open_pipes_session
from blobpipes.orchestration.run_context import RunContext
from blobpipes.storage.open import open_store
from blobpipes.wire.messages import CustomMessage, closed, custom, opened
from integration_tests.servers.clouds import Cloud

TEXT = "the same words again and again, as jobs say them"


def customs(url: str) -> tuple[list[object], str]:
    with SessionFollower(SessionCatalog(url).find("night"), wait=False) as follower:
        items = [item for item in follower.items() if isinstance(item, Followed)]
        assert follower.end is not None
        return [item.payload.payload for item in items if isinstance(item.payload, CustomMessage)], follower.end.verdict


def test_a_compressed_session_is_folded_and_read_again(cloud: Cloud) -> None:
    sent = [{"number": number, "text": TEXT} for number in range(3000)]
    with (
        open_pipes_session(
            RunContext(), url=f"{cloud.url}?interval=200ms&max_messages=500", session="night"
        ) as session,
        PipesBlobStoreMessageWriter().open(session.message_reader_params) as channel,
    ):
        channel.write_message(opened())
        for payload in sent:
            channel.write_message(custom(payload))
        channel.write_message(closed())
    assert list(session.get_custom_messages()) == sent
    store = open_store(f"{cloud.url}/night")
    assert sum(info.size for info in store.list("")) < 60_000 < len(TEXT) * 3000
    before, [shown] = customs(cloud.url), SessionCatalog(cloud.url).summaries()
    assert before == (sent, "complete")
    [done] = archive(cloud.url, older_than=0)
    assert (done.folded is not None, done.reason) == (True, "")
    assert [info.key for info in store.list("")] == ["1.json", ARCHIVE_KEY, SESSION_KEY]
    assert customs(cloud.url) == before
    [after] = SessionCatalog(cloud.url).summaries()
    assert (after.standing, after.chunks, after.messages) == (shown.standing, shown.chunks, shown.messages)
    [again] = archive(cloud.url, older_than=0)
    assert again.folded is not None
    assert again.folded.action == "already"
