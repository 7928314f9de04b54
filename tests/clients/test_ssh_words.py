"""What ssh's own words mean, and what it is asked; integration_tests/clients has a real server."""

from __future__ import annotations

import pytest

from blobpipes.clients.machine import Ran, checked
from blobpipes.clients.ssh_machine import SSHMachine, failure
from blobpipes.errors import (
    PlaceDeniedError,
    PlaceError,
    PlaceFullError,
    PlaceMissingError,
    PlaceUnavailableError,
)


@pytest.mark.parametrize(
    ("said", "kind", "remedy"),
    [
        ("ssh: Could not resolve hostname nohost: Name or service not known", PlaceMissingError, "host's name"),
        ("ssh: Could not resolve hostname h: Temporary failure in name resolution", PlaceUnavailableError, "network"),
        ("ssh: connect to host h port 22: Connection refused", PlaceUnavailableError, "port"),
        ("ssh: connect to host h port 22: Connection timed out", PlaceUnavailableError, "reaches"),
        ("client_loop: send disconnect: Broken pipe", PlaceUnavailableError, "reaches"),
        ("u@h: Permission denied (publickey).", PlaceDeniedError, "identity_file"),
        ("Host key verification failed.", PlaceDeniedError, "by hand"),
        (
            "@ REMOTE HOST IDENTIFICATION HAS CHANGED! @\nHost key verification failed.",
            PlaceDeniedError,
            "old",
        ),
        ("command-line: line 0: Bad configuration option: nonsense", PlaceMissingError, "options"),
        ("", PlaceUnavailableError, "reaches"),
    ],
)
def test_what_ssh_says_becomes_an_error_with_a_remedy(said: str, kind: type[PlaceError], remedy: str) -> None:
    error = failure("ssh://h", said)
    assert type(error) is kind
    assert remedy in error.remedy
    assert "\n" not in error.message


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("sh: 12: cannot create /home/u/.blobpipes/x: No space left on device", PlaceFullError),
        ("mkdir: cannot create directory '/home/u': Permission denied", PlaceDeniedError),
        ("sh: 3: Cannot fork: Resource temporarily unavailable", PlaceUnavailableError),
        ("something else", PlaceError),
        ("", PlaceError),
    ],
)
def test_what_a_machine_says_becomes_an_error(said: str, kind: type[PlaceError]) -> None:
    with pytest.raises(PlaceError) as caught:
        checked(Ran(1, b"", said), "ssh://h")
    assert type(caught.value) is kind


@pytest.mark.parametrize("host", ["", "-oProxyCommand=evil", "a b", "a\nb"])
def test_what_is_no_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="is no host"):
        SSHMachine(host)


def test_ssh_is_told_never_to_ask_and_the_host_is_no_option() -> None:
    command = SSHMachine("u@h", port=2222, options={"ProxyJump": "gate"}).command()
    assert "BatchMode=yes" in command
    assert "ProxyJump=gate" in command
    assert command[-4:] == ["--", "u@h", "/bin/sh", "-s"]


def test_without_ssh_that_is_said() -> None:
    with pytest.raises(PlaceMissingError, match="no-such-ssh"):
        SSHMachine("h", ssh="no-such-ssh").run("true")
