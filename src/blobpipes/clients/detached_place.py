"""A machine as a place: a job there outlives the connection that launched it, and is found again by its token.

It runs under `blobpipes exec` where the machine has it, so that whatever happens to it or to the network, what it
said is delivered. The connection is only used to launch, to look and to end; messages go through the store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from blobpipes.clients.detached_scripts import REPLY, DetachedScripts
from blobpipes.clients.endings import process_end
from blobpipes.clients.machine import Machine, SharedConnection, checked, preview
from blobpipes.clients.output import STREAMS
from blobpipes.clients.place import (
    RUNNING,
    WAITING,
    Cause,
    JobEnd,
    JobSpec,
    JobState,
    Place,
    Stream,
    TakeOutput,
    Urgency,
)
from blobpipes.errors import PlaceError

LIMIT: Final = 1 << 20  # bytes of each stream that one look fetches
SIGNALS: Final = {Urgency.INTERRUPT: "INT", Urgency.TERMINATE: "TERM", Urgency.KILL: "KILL"}


@dataclass(slots=True)
class DetachedJob:
    """A job on a machine. One thread owns it."""

    token: str
    program: str
    takers: Mapping[Stream, TakeOutput] = field(default_factory=dict)
    taken: dict[Stream, int] = field(default_factory=lambda: {"stdout": 0, "stderr": 0})  # bytes
    end: JobEnd | None = None


class DetachedPlace(Place[DetachedJob]):
    """Runs jobs on a machine.

    Args:
        machine: where.
        scripts: the shell for it, with the folder in which jobs live.
        keep: leave the folder of a job that has ended, with what it printed.
    """

    interval = 4.0
    first_interval = 0.3
    delivers_output: ClassVar[bool] = True

    def __init__(self, machine: Machine, scripts: DetachedScripts | None = None, *, keep: bool = False) -> None:
        self.machine = machine
        self.name = machine.name
        self._scripts = scripts or DetachedScripts()
        self._keep = keep
        self._connection = SharedConnection(machine)

    def launch(self, spec: JobSpec) -> DetachedJob:
        """Begin it."""
        if spec.tasks != 1:
            raise ValueError(f"{self.name} runs one process for a job, not {spec.tasks}")
        script = self._scripts.launch(spec)
        with self._connection.held() as keep:
            self._replied(script)
            keep()
        return DetachedJob(spec.token, spec.program, spec.output)

    def poll(self, handle: DetachedJob) -> JobState:
        """Look, and fetch what it printed; after its end, until there is no more."""
        if handle.end is not None:
            return JobState.ended(handle.end)
        while True:
            offsets = {name: handle.taken[name] if name in handle.takers else None for name in STREAMS}
            script = self._scripts.poll(handle.token, stdout=offsets["stdout"], stderr=offsets["stderr"], limit=LIMIT)
            words, rest = self._replied(script)
            counts = {name: int(count) for name, count in zip(STREAMS, words[3:5], strict=True)}
            self._hand_out(handle, counts, rest)
            state = self._state(handle.program, *words[:3])
            if state.end is None or not any(counts.values()):
                break
        if state.end is not None:
            handle.end = state.end
            for take in handle.takers.values():
                take(b"")
        return state

    def terminate(self, handle: DetachedJob, urgency: Urgency) -> None:
        """Signal its processes."""
        if handle.end is None:
            self._replied(self._scripts.signal(handle.token, SIGNALS[urgency]))

    def describe(self, handle: DetachedJob) -> Mapping[str, Any]:
        """Where it runs, and by which name."""
        return {"machine": self.name, "job": handle.token}

    def preview(self, spec: JobSpec) -> str:
        """The command here, and the script that it gets."""
        return preview(self.machine, self._scripts.launch(spec))

    def find(self, token: str) -> DetachedJob | None:
        """A job whose folder is there."""
        with self._connection.held() as keep:
            words, _ = self._replied(self._scripts.poll(token, stdout=None, stderr=None, limit=0))
            if words[0] == "missing":
                return None
            keep()
        return DetachedJob(token, "the job")

    def release(self, handle: DetachedJob) -> None:
        """Remove what it left on the machine, and let go of the connection after the last job."""
        try:
            if handle.end is not None and not self._keep:
                self._replied(self._scripts.remove(handle.token))
        finally:
            self._connection.let_go()

    # --- inside ---------------------------------------------------------------------------------------

    def _replied(self, script: str) -> tuple[list[str], bytes]:
        """The words of our line in what a script printed, and what follows it."""
        out = checked(self.machine.run(script), self.name)
        _, found, after = out.partition(REPLY.encode())
        line, _, rest = after.partition(b"\n")
        if not found:
            raise PlaceError(
                f"{self.name} gave an answer that makes no sense",
                remedy="Check that its login shell starts /bin/sh, and is not restricted to one command.",
            )
        return line.decode("ascii", "replace").split(), rest

    def _hand_out(self, handle: DetachedJob, counts: Mapping[Stream, int], data: bytes) -> None:
        start = 0
        for name in STREAMS:
            piece = data[start : start + counts[name]]
            start += counts[name]
            if piece:
                handle.taken[name] += len(piece)
                handle.takers[name](piece)

    def _state(self, program: str, state: str, code: str, why: str) -> JobState:
        if state == "running":
            return RUNNING
        if state == "waiting":
            return WAITING
        if state == "missing":
            return JobState.ended(JobEnd(Cause.UNKNOWN, f"{self.name} knows nothing of the job"))
        if state == "lost":
            return JobState.ended(self._lost(why))
        return JobState.ended(self._end(program, int(code), why))

    def _end(self, program: str, code: int, why: str) -> JobEnd:
        if why == "no-program":
            return JobEnd(
                Cause.NOT_STARTED,
                f"cannot start {program!r} on {self.name}: no such program",
                code,
                "Check its spelling and the PATH there, or give its path.",
            )
        if why == "no-folder":
            return JobEnd(
                Cause.NOT_STARTED,
                f"cannot start {program!r} on {self.name}: its working directory does not exist there",
                code,
                "Make the folder first, or give another one.",
            )
        if why in ("cancelled", "killed"):
            return JobEnd(Cause.CANCELLED, f"{program} was ended because somebody asked for it", 128 - code)
        return process_end(program, code)

    def _lost(self, why: str) -> JobEnd:
        if why == "rebooted":
            return JobEnd(
                Cause.MACHINE_LOST, f"{self.name} was started anew while the job ran", None, "Run the job again."
            )
        return JobEnd(
            Cause.KILLED,
            f"all processes of the job on {self.name} were killed, so nobody can tell its exit code",
            None,
            "Often the machine ran out of memory: look at its kernel log.",
        )
