"""Slurm as a place: a job is a batch job of its token's name, or an array of them, each with a lane of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

from blobpipes.clients.detached_place import LIMIT, SIGNALS
from blobpipes.clients.detached_scripts import REPLY
from blobpipes.clients.machine import Machine, SharedConnection, Troubles, checked, preview
from blobpipes.clients.output import STREAMS
from blobpipes.clients.place import JobEnd, JobSpec, JobState, Place, Stream, TakeOutput, Urgency
from blobpipes.clients.slurm_scripts import SlurmScripts
from blobpipes.clients.slurm_states import from_sacct, from_squeue, state_of
from blobpipes.errors import PlaceDeniedError, PlaceError, PlaceFullError, PlaceMissingError, PlaceUnavailableError


@dataclass(slots=True)
class SlurmJob:
    """A job of Slurm. One thread owns it."""

    number: str
    token: str
    program: str
    takers: Mapping[Stream, TakeOutput] = field(default_factory=dict)
    taken: dict[Stream, int] = field(default_factory=lambda: {"stdout": 0, "stderr": 0})  # bytes
    end: JobEnd | None = None


class SlurmPlace(Place[SlurmJob]):
    """Runs jobs under Slurm.

    Args:
        machine: which can submit.
        scripts: the shell for it.
        keep: leave the folder of a job that has ended, with what it printed and Slurm's own words.
    """

    interval = 5.0
    first_interval = 0.5
    delivers_output: ClassVar[bool] = True  # of a single task

    def __init__(self, machine: Machine, scripts: SlurmScripts, *, keep: bool = False) -> None:
        self.name = "Slurm" if machine.name == "this machine" else f"Slurm at {machine.name}"
        self.machine = machine
        self._connection = SharedConnection(machine)
        self._scripts = scripts
        self._keep = keep

    def launch(self, spec: JobSpec) -> SlurmJob:
        """Submit it."""
        with self._connection.held() as keep:
            words, _ = self._replied(self._scripts.launch(spec))
            keep()
        return SlurmJob(words[0], spec.token, spec.program, spec.output if spec.tasks == 1 else {})

    def poll(self, handle: SlurmJob) -> JobState:
        """Ask the controller, and if it has forgotten the job, the accounting."""
        if handle.end is not None:
            return JobState.ended(handle.end)
        while True:
            offsets = {name: handle.taken[name] if name in handle.takers else None for name in STREAMS}
            script = self._scripts.poll(handle.token, stdout=offsets["stdout"], stderr=offsets["stderr"], limit=LIMIT)
            words, rest = self._replied(script)
            told, _, data = rest.partition(f"{REPLY.strip()}\n".encode())
            counts = {name: int(count) for name, count in zip(STREAMS, words[2:4], strict=True)}
            self._hand_out(handle, counts, data)
            state = self._state(handle, words[1], told.decode("utf-8", "replace"))
            if state.end is None or not any(counts.values()):
                break
        if state.end is not None:
            handle.end = state.end
            for take in handle.takers.values():
                take(b"")
        return state

    def terminate(self, handle: SlurmJob, urgency: Urgency) -> None:
        """Cancel it: an interruption reaches the supervisor alone, the rest is Slurm's own way."""
        if handle.end is None:
            self._replied(self._scripts.end(handle.number, SIGNALS[urgency]))

    def describe(self, handle: SlurmJob) -> Mapping[str, Any]:
        """Its number, and where to ask for it."""
        return {"place": self.name, "slurm_job": handle.number, "job": handle.token}

    def preview(self, spec: JobSpec) -> str:
        """The command here, and the script that it gets."""
        return preview(self.machine, self._scripts.launch(spec))

    def find(self, token: str) -> SlurmJob | None:
        """A job of this name, as long as Slurm or its folder remembers it."""
        with self._connection.held() as keep:
            words, _ = self._replied(self._scripts.poll(token, stdout=None, stderr=None, limit=0))
            if words[1] == "forgotten":
                return None
            keep()
        return SlurmJob(words[0], token, "the job")

    def release(self, handle: SlurmJob) -> None:
        """Remove its folder, if it has ended, and let go of the connection after the last job."""
        try:
            if handle.end is not None and not self._keep:
                self._replied(self._scripts.remove(handle.token))
        finally:
            self._connection.let_go()

    # --- inside ---------------------------------------------------------------------------------------

    def _replied(self, script: str) -> tuple[list[str], bytes]:
        out = checked(self.machine.run(script), self.name, _TROUBLES)
        _, found, after = out.partition(REPLY.encode())
        line, _, rest = after.partition(b"\n")
        if not found:
            raise PlaceError(f"{self.name} gave an answer that makes no sense", remedy="Run sbatch there by hand.")
        return line.decode("ascii", "replace").split(), rest

    def _hand_out(self, handle: SlurmJob, counts: Mapping[Stream, int], data: bytes) -> None:
        start = 0
        for name in STREAMS:
            piece = data[start : start + counts[name]]
            start += counts[name]
            if piece:
                handle.taken[name] += len(piece)
                handle.takers[name](piece)

    def _state(self, handle: SlurmJob, source: str, told: str) -> JobState:
        lines = [line for line in told.splitlines() if line.strip()]
        whys = [line.split() for line in lines if line.startswith("why.")]
        states = [line for line in lines if not line.startswith("why.")]
        tasks = from_sacct(states) if source == "sacct" else from_squeue(states) if source == "squeue" else []
        return state_of(handle.program, tasks, {int(name.removeprefix("why.")): why for name, why in whys})


_TROUBLES: Final[Troubles] = (
    ("sbatch: command not found", PlaceMissingError, "Run this where Slurm's commands are, or name such a host."),
    ("invalid partition", PlaceMissingError, "Give one of those that `sinfo` shows."),
    ("invalid account", PlaceMissingError, "Give an account that is yours: sacctmgr show associations."),
    ("invalid qos", PlaceMissingError, "Give one of those that `sacctmgr show qos` shows."),
    ("configuration is not available", PlaceMissingError, "No node has so much: ask for less, or see `sinfo -Nl`."),
    ("unrecognized option", PlaceMissingError, "Correct the options for sbatch."),
    ("invalid option", PlaceMissingError, "Correct the options for sbatch."),
    ("configuration source", PlaceMissingError, "Slurm is installed but not configured here: see SLURM_CONF."),
    ("time limit is invalid", PlaceMissingError, "Ask for less time, or in another partition: see `sinfo -o '%P %l'`."),
    ("limit", PlaceFullError, "Wait until other jobs of yours have ended, or ask for a higher limit."),
    ("authentication", PlaceDeniedError, "Check that munge runs, and that you have an account in this cluster."),
    ("access/permission denied", PlaceDeniedError, "Ask the cluster's people for the permission."),
    ("unable to contact slurm controller", PlaceUnavailableError, "Check the controller: scontrol ping."),
    ("connection refused", PlaceUnavailableError, "Check the controller: scontrol ping."),
    ("timed out", PlaceUnavailableError, "Check the controller: scontrol ping."),
    ("temporarily unable", PlaceUnavailableError, "The controller is busy: try again."),
)
