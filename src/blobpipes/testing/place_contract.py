"""What every `Place` promises, as a class of pytest tests.

Subclass it and provide a `place` fixture; set `shell` if the machine has its POSIX shell elsewhere.

    class TestMyPlace(PlaceContract):
        @pytest.fixture
        def place(self) -> Place:
            return MyPlace(...)

The jobs are shell scripts, which tell what they do through files under `shared`: a folder that both this process
and the place can see.
"""

from __future__ import annotations

import shlex
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from blobpipes.clients.place import Cause, JobEnd, JobSpec, JobState, Place, Urgency, token_of
from blobpipes.clock import SYSTEM_CLOCK
from blobpipes.errors import LaunchError
from blobpipes.orchestration.ids import new_id

Launch = Callable[..., Any]

WAITS = "echo $$ > {shared}/pid.new; mv {shared}/pid.new {shared}/pid; while :; do sleep 0.2; done"
IGNORES = "trap '' INT TERM HUP; " + WAITS


class PlaceContract:
    """The promises of `blobpipes.clients.place.Place`."""

    shell = "/bin/sh"
    patience = 90.0  # seconds for whatever is waited for; generous, because machines are busy
    finds_jobs = True  # `find` knows what somebody else has launched
    tells_signals = True  # a job that a signal killed is told from one that exited

    @pytest.fixture
    def place(self) -> Place[Any]:
        raise NotImplementedError("a contract needs a `place` fixture")

    @pytest.fixture
    def shared(self, tmp_path: Path) -> Path:
        return tmp_path

    @pytest.fixture
    def launch(self, place: Place[Any], shared: Path) -> Iterator[Launch]:
        """Launch a shell script; whatever is launched is killed in the end."""
        handles: list[Any] = []

        def go(script: str, **fields: Any) -> Any:
            spec = self.spec(script.replace("{shared}", shlex.quote(str(shared))), **fields)
            handles.append(place.launch(spec))
            return handles[-1]

        yield go
        for handle in handles:
            if place.poll(handle).phase != "ended":
                place.terminate(handle, Urgency.KILL)
                self.until_ended(place, handle)
            place.release(handle)

    def spec(self, script: str, **fields: Any) -> JobSpec:
        fields.setdefault("token", token_of(new_id()))
        return JobSpec((self.shell, "-c", script), **fields)

    # --- waiting for what is meant ----------------------------------------------------------------------

    def until(self, place: Place[Any], handle: Any, is_so: Callable[[JobState], bool]) -> JobState:
        """Look until it is so."""
        deadline = SYSTEM_CLOCK.monotonic() + self.patience
        while not is_so(state := place.poll(handle)):
            assert SYSTEM_CLOCK.monotonic() < deadline, f"{self.patience:g} s later it is still {state}"
            place.wait(handle, 0.2, threading.Event())
        return state

    def until_ended(self, place: Place[Any], handle: Any) -> JobEnd:
        state = self.until(place, handle, lambda state: state.phase == "ended")
        assert state.end is not None
        assert state.end.detail
        return state.end

    def until_written(self, place: Place[Any], handle: Any, file: Path) -> str:
        """Look until the job has written a file."""

        def is_there(state: JobState) -> bool:
            assert state.phase != "ended", f"it ended without writing {file.name}: {state.detail}"
            return file.exists()

        self.until(place, handle, is_there)
        return file.read_text().strip()

    # --- promises ---------------------------------------------------------------------------------------

    def test_a_job_that_does_well_has_exited_with_0(self, place: Place[Any], launch: Launch) -> None:
        end = self.until_ended(place, launch("exit 0"))
        assert (end.cause, end.exit_code, end.is_success) == (Cause.EXITED, 0, True)

    def test_a_job_that_fails_has_exited_with_its_code(self, place: Place[Any], launch: Launch) -> None:
        end = self.until_ended(place, launch("exit 3"))
        assert (end.cause, end.exit_code, end.is_success) == (Cause.EXITED, 3, False)
        assert "3" in end.detail

    def test_the_end_stays_as_it_was_told_first(self, place: Place[Any], launch: Launch) -> None:
        handle = launch("exit 4")
        end = self.until_ended(place, handle)
        assert self.until_ended(place, handle) == end

    def test_a_job_gets_its_variables_and_arguments_byte_for_byte(
        self, place: Place[Any], launch: Launch, shared: Path
    ) -> None:
        odd = "a b\n$HOME `id` 'single' \"double\" \\back\\ #no %d ü, é; =x\t!"
        script = 'printf %s "$ODD" > {shared}/env; printf %s ' + shlex.quote(odd) + " > {shared}/argument"
        self.until_ended(place, launch(script, env={"ODD": odd, "EMPTY": ""}))
        assert (shared / "env").read_text() == odd
        assert (shared / "argument").read_text() == odd

    def test_a_job_runs_where_it_is_told_to(self, place: Place[Any], launch: Launch, shared: Path) -> None:
        folder = shared / "a folder"
        folder.mkdir()
        self.until_ended(place, launch("pwd > here", cwd=str(folder)))
        assert (folder / "here").read_text().strip() == str(folder)

    def test_a_job_that_runs_is_running(self, place: Place[Any], launch: Launch, shared: Path) -> None:
        handle = launch(WAITS)
        self.until_written(place, handle, shared / "pid")
        assert self.until(place, handle, lambda state: state.phase == "running").end is None

    @pytest.mark.parametrize("urgency", [Urgency.TERMINATE, Urgency.KILL])
    def test_a_job_that_is_told_to_end_ends_and_did_not_do_well(
        self, place: Place[Any], launch: Launch, shared: Path, urgency: Urgency
    ) -> None:
        handle = launch(WAITS)
        self.until_written(place, handle, shared / "pid")
        place.terminate(handle, urgency)
        assert not self.until_ended(place, handle).is_success
        place.terminate(handle, urgency)  # says nothing

    def test_a_job_that_ignores_what_can_be_ignored_is_killed(
        self, place: Place[Any], launch: Launch, shared: Path
    ) -> None:
        handle = launch(IGNORES)
        self.until_written(place, handle, shared / "pid")
        for urgency in Urgency:
            place.terminate(handle, urgency)
        assert not self.until_ended(place, handle).is_success

    def test_a_killed_job_is_said_to_be_killed(self, place: Place[Any], launch: Launch) -> None:
        if not self.tells_signals:
            pytest.skip("this place tells exit codes only")
        end = self.until_ended(place, launch("kill -KILL $$"))
        assert not end.is_success
        assert "SIGKILL" in end.detail
        assert "memory" in (end.remedy or "")

    def test_a_program_that_does_not_exist_was_not_started(self, place: Place[Any]) -> None:
        spec = JobSpec(("/no/such/program", "--token=geheim"), token=token_of(new_id()))
        try:
            handle = place.launch(spec)
        except LaunchError as error:
            said = str(error)
        else:
            end = self.until_ended(place, handle)
            place.release(handle)
            assert end.cause is Cause.NOT_STARTED
            said = f"{end.detail} {end.remedy}"
        assert "/no/such/program" in said
        assert "geheim" not in said

    def test_a_second_launch_with_the_same_token_runs_no_second_job(
        self, place: Place[Any], launch: Launch, shared: Path
    ) -> None:
        if not self.finds_jobs:
            pytest.skip("this place forgets what it has launched")
        token = token_of(new_id())
        script = "echo once >> {shared}/runs; " + WAITS
        first = launch(script, token=token)
        self.until_written(place, first, shared / "pid")
        second = launch(script, token=token)
        place.terminate(second, Urgency.KILL)
        assert not self.until_ended(place, first).is_success
        assert (shared / "runs").read_text() == "once\n"

    def test_what_was_launched_is_found_by_its_token(self, place: Place[Any], launch: Launch, shared: Path) -> None:
        if not self.finds_jobs:
            pytest.skip("this place forgets what it has launched")
        token = token_of(new_id())
        assert place.find(token) is None
        handle = launch(WAITS, token=token)
        self.until_written(place, handle, shared / "pid")
        found = place.find(token)
        assert found is not None
        self.until(place, found, lambda state: state.phase == "running")
        place.terminate(found, Urgency.KILL)
        self.until_ended(place, found)
        assert not self.until_ended(place, handle).is_success
        place.release(found)

    def test_what_a_job_prints_has_been_handed_out_when_it_has_ended(self, place: Place[Any], launch: Launch) -> None:
        if not place.delivers_output:
            pytest.skip("this place delivers no output")
        taken: dict[str, list[bytes]] = {"stdout": [], "stderr": []}
        script = "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); done; echo oops >&2"
        handle = launch(script, output={"stdout": taken["stdout"].append, "stderr": taken["stderr"].append})
        self.until_ended(place, handle)
        assert b"".join(taken["stdout"]).decode() == "".join(f"line {i}\n" for i in range(3000))
        assert b"".join(taken["stderr"]) == b"oops\n"
        assert (taken["stdout"][-1], taken["stderr"][-1]) == (b"", b"")  # the end is told

    def test_output_comes_while_the_job_runs(self, place: Place[Any], launch: Launch, shared: Path) -> None:
        if not place.delivers_output:
            pytest.skip("this place delivers no output")
        seen: list[bytes] = []
        wait = "while [ ! -f {shared}/go ]; do sleep 0.2; done"
        handle = launch(f"echo early; {wait}; echo late", output={"stdout": seen.append})
        self.until(place, handle, lambda state: b"early\n" in b"".join(seen))
        (shared / "go").touch()
        self.until_ended(place, handle)
        assert b"".join(seen) == b"early\nlate\n"

    def test_what_is_told_of_a_job_can_become_json(self, place: Place[Any], launch: Launch) -> None:
        import json

        handle = launch("exit 0")
        assert isinstance(json.dumps(dict(place.describe(handle))), str)
        self.until_ended(place, handle)
