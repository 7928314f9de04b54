from __future__ import annotations

import pytest

from blobpipes.errors import InvalidOptionError
from blobpipes.external.exits import DEFAULT_GRACE, term_grace


def test_the_grace_after_sigterm_can_be_set_and_is_checked() -> None:
    assert term_grace({}) == DEFAULT_GRACE
    assert term_grace({"BLOBPIPES_TERM_GRACE": "25s"}) == 25
    with pytest.raises(InvalidOptionError, match="BLOBPIPES_TERM_GRACE"):
        term_grace({"BLOBPIPES_TERM_GRACE": "soon"})
