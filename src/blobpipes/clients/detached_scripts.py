"""Shell for a machine on which a job outlives the connection that launched it. POSIX sh, checked by shellcheck.

A job is a folder under `$HOME/.blobpipes/jobs`, named by its token. What has become of it is the name of one
directory in there, because a rename is atomic and works on a full disk:

    running          its runner has taken the job; there is only ever one
    exited.3.        its program has ended with this code
    exited.127.why   it never began, and why

Nothing of a job is on a command line: the scripts, with the job's variables and arguments in them, go through stdin,
and what holds these is removed by the runner before the program starts.
"""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Mapping
from string import Template
from typing import Final

from blobpipes.clients.place import JobSpec
from blobpipes.errors import LaunchError

MARKER: Final = "BLOBPIPES_JOB"  # a variable by which each process of a job can be told from all others
REPLY: Final = "@@blobpipes "  # begins our line: what a login shell prints comes before
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")

_COMMON: Final = Template("""\
token=$token
job=$base/$token
marked() { # the processes of the job, also those that have left its session
    # shellcheck disable=SC2013 # these names have no spaces
    for file in $$(grep -lzxF "$marker=$$token" /proc/[0-9]*/environ 2>/dev/null); do
        file=$${file#/proc/}
        echo "$${file%/environ}"
    done
}
""")

RUNNER: Final = r"""#!/bin/sh
# Runs one job: $1 is its folder. Started by whoever launches it; only the first one goes on.
job=$1
mkdir "$job/running" 2>/dev/null || exit 0
cat /proc/sys/kernel/random/boot_id >"$job/boot" 2>/dev/null
echo $$ >"$job/pid"
trap : INT TERM HUP # for the program; we stay to tell how it ended

own=$PATH
ended() { # ended CODE WHY
    PATH=$own:$PATH
    mv "$job/running" "$job/exited.$1.$2"
    exit 0
}
finished() { # finished CODE
    PATH=$own:$PATH
    if [ "$1" -gt 128 ]; then # its supervisor may have been killed before it
        # shellcheck disable=SC2013 # these names have no spaces
        for file in $(grep -lzxF "BLOBPIPES_JOB=$BLOBPIPES_JOB" /proc/[0-9]*/environ 2>/dev/null); do
            file=${file#/proc/}
            [ "${file%/environ}" = $$ ] || kill -KILL "${file%/environ}" 2>/dev/null
        done
        [ -z "$supervisor" ] || $supervisor resend >/dev/null 2>&1
    fi
    ended "$1" ""
}

supervisor=
wanted=
umask "$(cat "$job/umask")"
# shellcheck disable=SC1091 # made for each job
. "$job/job.sh"
rm -f "$job/job.sh"
[ -z "$folder" ] || cd "$folder" || ended 126 no-folder
case $1 in
*/*) [ -e "$1" ] || ended 127 no-program ;;
*) command -v -- "$1" >/dev/null 2>&1 || ended 127 no-program ;;
esac
if [ "$wanted" = auto ]; then
    command -v blobpipes >/dev/null 2>&1 && supervisor=blobpipes
else
    supervisor=$wanted
fi
if [ -n "$supervisor" ]; then
    # shellcheck disable=SC2086 # a program and its first arguments
    $supervisor exec -- "$@" >"$job/stdout" 2>"$job/stderr" </dev/null
else
    "$@" >"$job/stdout" 2>"$job/stderr" </dev/null
fi
finished $?
"""

_LAUNCH: Final = Template("""\
set -eu
mask=$$(umask)
umask 077
mkdir -p "$base"
$common
mkdir -p "$$job"
started() { [ -e "$$job/running" ] || [ -n "$$(find "$$job" -name 'exited.*')" ]; }
trap 'started || rm -rf "$$job"' EXIT # a full disk, for instance: nothing stays behind
if ! started; then
    echo "$$mask" | cat >"$$job/umask" # cat says what is wrong with a disk, which not every shell's echo does
    cat >"$$job/runner.sh" <<'$end'
$runner
$end
    cat >"$$job/job.$$$$" <<'$end'
$job_script
$end
    mv "$$job/job.$$$$" "$$job/job.sh"
    if setsid -f true 2>/dev/null; then
        $marker=$$token setsid -f sh "$$job/runner.sh" "$$job" </dev/null >"$$job/runner.log" 2>&1
    else # there an interrupt does not reach the program; SIGTERM does
        $marker=$$token nohup sh "$$job/runner.sh" "$$job" </dev/null >"$$job/runner.log" 2>&1 &
    fi
    left=300
    until started; do
        left=$$((left - 1))
        [ "$$left" -gt 0 ] || { cat "$$job/runner.log" >&2; echo "the runner did not start" >&2; exit 1; }
        sleep 0.1
    done
fi
echo "$reply launched"
""")

_POLL: Final = Template("""\
set -u
$common
told() { # told STATE CODE WHY: that, and what the job has printed since we were last asked
    out=0 err=0
    [ "$take_stdout" = no ] || out=$$(fresh stdout "$stdout")
    [ "$take_stderr" = no ] || err=$$(fresh stderr "$stderr")
    echo "$reply $$1 $${2:--} $${3:--} $$out $$err"
    [ "$$out" -eq 0 ] || tail -c +$$(($stdout + 1)) "$$job/stdout" | head -c "$$out"
    [ "$$err" -eq 0 ] || tail -c +$$(($stderr + 1)) "$$job/stderr" | head -c "$$err"
    exit 0
}
fresh() { # fresh FILE FROM: how many bytes are new, at most $limit
    [ -e "$$job/$$1" ] || { echo 0; return; }
    size=$$(wc -c <"$$job/$$1")
    size=$$((size - $$2))
    [ "$$size" -le $limit ] || size=$limit
    [ "$$size" -ge 0 ] || size=0
    echo "$$size"
}
look() {
    for ended in "$$job"/exited.*; do
        [ -e "$$ended" ] || continue
        ended=$${ended##*/exited.}
        told ended "$${ended%%.*}" "$${ended#*.}"
    done
}
[ -d "$$job" ] || told missing
look
[ -e "$$job/running" ] || told waiting
[ -e "$$job/pid" ] || told running # it has just begun
if [ -d /proc/self ]; then
    [ -z "$$(marked)" ] || told running
else
    kill -0 "$$(cat "$$job/pid")" 2>/dev/null && told running
fi
look # it may have ended between the two looks
now=$$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
[ "$$now" = "$$(cat "$$job/boot" 2>/dev/null)" ] || told lost - rebooted
told lost - killed
""")

_SIGNAL: Final = Template("""\
set -u
$common
has_ended() { [ -n "$$(find "$$job" -name 'exited.*' 2>/dev/null)" ]; }
if ! has_ended && mkdir "$$job/running" 2>/dev/null; then # it had not begun, and never will; or it ended just now
    if has_ended; then rmdir "$$job/running"; else mv "$$job/running" "$$job/exited.143.cancelled"; fi
fi
left=100
while [ -e "$$job/running" ] && [ ! -s "$$job/pid" ] && [ "$$left" -gt 0 ]; do # its runner has just begun
    left=$$((left - 1))
    sleep 0.1
done
pid=$$(cat "$$job/pid" 2>/dev/null)
if [ -e "$$job/running" ] && [ -n "$$pid" ]; then
    kill -s $name -- "-$$pid" 2>/dev/null
    [ $name != KILL ] || mv "$$job/running" "$$job/exited.137.killed" 2>/dev/null
fi
if [ $name = KILL ]; then
    for _ in 1 2 3 4 5; do
        pids=$$(marked)
        [ -n "$$pids" ] || break
        # shellcheck disable=SC2086 # several
        kill -KILL $$pids 2>/dev/null
        sleep 0.1
    done
fi
echo "$reply told"
""")

_REMOVE: Final = Template("""\
set -u
$common
[ -e "$$job/running" ] || rm -rf "$$job"
echo "$reply removed"
""")


class DetachedScripts:
    """The scripts for jobs in one folder.

    Args:
        base: the folder, as the machine's shell understands it within double quotes.
        supervisor: the command that has `exec` and `resend`; "auto": `blobpipes`, if the job's PATH has it; "": none.
    """

    def __init__(self, base: str = "$HOME/.blobpipes/jobs", supervisor: str = "auto") -> None:
        self._base = base
        self._supervisor = supervisor

    def launch(self, spec: JobSpec) -> str:
        """Begins the job, unless it has begun. The variables and arguments are in it.

        Raises:
            LaunchError: they cannot be said in a shell.
        """
        text = job_script(spec, self._supervisor)
        end = f"END_{hashlib.sha256(text.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}"
        return self._filled(_LAUNCH, spec.token, runner=RUNNER, job_script=text, end=end)

    def poll(self, token: str, *, stdout: int | None, stderr: int | None, limit: int) -> str:
        """Tells how the job stands, and what it has printed after so many bytes; None: nobody wants that."""
        return self._filled(
            _POLL,
            token,
            take_stdout="no" if stdout is None else "yes",
            take_stderr="no" if stderr is None else "yes",
            stdout=str(stdout or 0),
            stderr=str(stderr or 0),
            limit=str(limit),
        )

    def signal(self, token: str, name: str) -> str:
        """Signals the job's processes; `name` is INT, TERM or KILL."""
        return self._filled(_SIGNAL, token, name=name)

    def remove(self, token: str) -> str:
        """Removes the folder of a job that has ended."""
        return self._filled(_REMOVE, token)

    def _filled(self, template: Template, token: str, **values: str) -> str:
        common = _COMMON.substitute(token=shlex.quote(token), base=f'"{self._base}"', marker=MARKER)
        return template.substitute(common=common, base=self._base, marker=MARKER, reply=REPLY.strip(), **values)


def job_script(spec: JobSpec, supervisor: str) -> str:
    """The part of a job that is its own: variables, folder, program and arguments, for a shell to read.

    Raises:
        LaunchError: a variable has a name that no shell takes, or something holds a NUL.
    """
    lines = [*export_lines(spec.env), f"folder={shlex.quote(spec.cwd or '')}", f"wanted={shlex.quote(supervisor)}"]
    text = "\n".join([*lines, f"set -- {shlex.join(spec.command)}"])
    if "\0" in text:
        raise LaunchError(f"cannot start {spec.program!r}: a variable or argument holds a NUL character")
    return text


def export_lines(env: Mapping[str, str]) -> list[str]:
    """A line for each variable.

    Raises:
        LaunchError: a shell does not take the name.
    """
    wrong = next((name for name in env if not _NAME.fullmatch(name)), None)
    if wrong is not None:
        raise LaunchError(
            f"{wrong!r} cannot be the name of a variable",
            remedy="Use letters, digits and _, and begin with no digit.",
        )
    return [f"export {name}={shlex.quote(value)}" for name, value in env.items()]
