"""Shell for a machine that can submit to Slurm. POSIX sh, checked by shellcheck.

A job is a folder that the submitting machine and the nodes share, named by its token, and a Slurm job of that name.
The variables and arguments are in a file of that folder which only its owner can read; nothing of them is on a
command line, nor in what Slurm keeps.
"""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from string import Template
from typing import Final

from blobpipes.clients.detached_scripts import REPLY, job_script
from blobpipes.clients.place import JobSpec

BATCH: Final = r"""#!/bin/sh
# One task of a job, on its node: $1 is the job's folder. What stays in the end is the supervisor, which Slurm then
# signals itself.
job=$1
index=${SLURM_ARRAY_TASK_ID:-0}
never() { # never CODE WHY
    echo "$2" >"$job/why.$index"
    exit "$1"
}
supervisor=
wanted=
# shellcheck disable=SC1091 # made for each job
. "$job/job.sh"
[ -z "$folder" ] || cd "$folder" || never 126 no-folder
case $1 in
*/*) [ -e "$1" ] || never 127 no-program ;;
*) command -v -- "$1" >/dev/null 2>&1 || never 127 no-program ;;
esac
if [ "$wanted" = auto ]; then
    command -v blobpipes >/dev/null 2>&1 && supervisor=blobpipes
else
    supervisor=$wanted
fi
exec >"$job/stdout.$index" 2>"$job/stderr.$index" </dev/null
# shellcheck disable=SC2086 # a program and its first arguments
[ -z "$supervisor" ] || exec $supervisor exec -- "$@"
exec "$@"
"""

_LAUNCH: Final = Template("""\
set -eu
umask 077
command -v sbatch >/dev/null || { echo "sbatch: command not found" >&2; exit 1; }
mkdir -p "$base"
job=$$(cd "$base" && pwd -P)/$token
found() { # a job of this name, whoever has submitted it
    cat "$$job/id" 2>/dev/null && return
    squeue --noheader --states=all --name=$token --Format=ArrayJobID:.20 | awk 'NR == 1 { print $$1 }'
}
id=$$(found)
if [ -z "$$id" ]; then
    mkdir -p "$$job"
    trap '[ -e "$$job/id" ] || rm -rf "$$job"' EXIT # refused: nothing stays behind
    cat >"$$job/job.sh" <<'$end'
$job_script
$end
    cat >"$$job/batch.sh" <<'$end'
$batch
$end
    id=$$(sbatch --parsable --job-name=$token --output="$$job/slurm-%a.log"$options "$$job/batch.sh" "$$job")
    id=$${id%%;*}
    echo "$$id" >"$$job/id"
fi
echo "$reply $$id"
""")

_POLL: Final = Template("""\
set -u
$folder
states() {
    squeue --noheader --array --states=all --jobs="$$1" \\
        --Format=ArrayTaskID:.12,State:.20,exit_code:.12,Reason:.60 2>&1
}
id=$$(cat "$$job/id" 2>/dev/null) ||
    id=$$(squeue --noheader --states=all --name=$token --Format=ArrayJobID:.20 | awk 'NR == 1 { print $$1 }')
[ -n "$$id" ] || { echo "$reply 0 forgotten 0 0"; exit 0; }
source=squeue
if ! found=$$(states "$$id"); then
    case $$found in
    *"Invalid job id"*) source=sacct ;; # it has ended some minutes ago
    *)
        echo "$$found" >&2 # the controller is out of reach
        exit 1
        ;;
    esac
    found=$$(sacct -n -P -X --jobs="$$id" --format=JobID,State,ExitCode,Reason 2>/dev/null) || found=
    [ -n "$$found" ] || source=forgotten
fi
whys=$$(cd "$$job" 2>/dev/null && for file in why.*; do [ ! -e "$$file" ] || echo "$$file $$(cat "$$file")"; done)
fresh() { # fresh FILE FROM: how many bytes are new, at most $limit
    [ -e "$$job/$$1" ] || { echo 0; return; }
    size=$$(wc -c <"$$job/$$1")
    size=$$((size - $$2))
    [ "$$size" -le $limit ] || size=$limit
    [ "$$size" -ge 0 ] || size=0
    echo "$$size"
}
out=0 err=0
[ "$take_stdout" = no ] || out=$$(fresh stdout.0 "$stdout")
[ "$take_stderr" = no ] || err=$$(fresh stderr.0 "$stderr")
echo "$reply $$id $$source $$out $$err"
echo "$$found"
echo "$$whys"
echo "$reply"
[ "$$out" -eq 0 ] || tail -c +$$(($stdout + 1)) "$$job/stdout.0" | head -c "$$out"
[ "$$err" -eq 0 ] || tail -c +$$(($stderr + 1)) "$$job/stderr.0" | head -c "$$err"
exit 0
""")

_END: Final = {
    "INT": "scancel --state=PENDING {id}; scancel --signal=INT --batch {id}",
    "TERM": "scancel {id}",
    "KILL": "scancel --signal=KILL --full {id}; scancel {id}",
}


class SlurmScripts:
    """The scripts for jobs in one folder, and with the same options for sbatch."""

    def __init__(self, base: str, supervisor: str, options: Sequence[str]) -> None:
        self._base = base
        self._supervisor = supervisor
        self._options = tuple(options)

    def launch(self, spec: JobSpec) -> str:
        """Submits the job, unless one of its name was submitted. The reply is its number.

        Raises:
            LaunchError: its variables or arguments cannot be said in a shell.
        """
        text = job_script(spec, self._supervisor)
        array = [f"--array=0-{spec.tasks - 1}"] if spec.tasks > 1 else []
        return _LAUNCH.substitute(
            base=self._base,
            token=shlex.quote(spec.token),
            end=f"END_{hashlib.sha256((text + BATCH).encode('utf-8', 'surrogateescape')).hexdigest()[:24]}",
            job_script=text,
            batch=BATCH,
            options="".join(f" {shlex.quote(option)}" for option in [*self._options, *array]),
            reply=REPLY.strip(),
        )

    def poll(self, token: str, *, stdout: int | None, stderr: int | None, limit: int) -> str:
        """Tells how its tasks stand, and what a single one has printed after so many bytes; None: nobody wants it."""
        return _POLL.substitute(
            folder=self._folder(token),
            token=shlex.quote(token),
            take_stdout="no" if stdout is None else "yes",
            take_stderr="no" if stderr is None else "yes",
            stdout=str(stdout or 0),
            stderr=str(stderr or 0),
            limit=str(limit),
            reply=REPLY.strip(),
        )

    def end(self, number: str, signal: str) -> str:
        """Tells it to end; `signal` is INT, TERM or KILL."""
        return f"{_END[signal].format(id=shlex.quote(number))}\necho '{REPLY.strip()} told'\n"

    def remove(self, token: str) -> str:
        """Removes its folder."""
        return f"{self._folder(token)}\nrm -rf \"$job\"\necho '{REPLY.strip()} removed'\n"

    def _folder(self, token: str) -> str:
        return f'job="{self._base}"/{shlex.quote(token)}'
