#!/usr/bin/env python3
"""Everything this checkout can do, on any machine with git and Python 3.10 or later: `python3 dev.py`.

Each command first makes `.venv` and installs into it what the command needs; nothing is installed
anywhere else. That happens again only when pyproject.toml changes. Standard library only.
"""

import sys

if sys.version_info < (3, 10):  # noqa: UP036 - the one file that an older Python gets to read; 3.6 can parse it
    import shutil

    newer = next((p for p in ("python3.%d" % minor for minor in range(14, 9, -1)) if shutil.which(p)), None)  # noqa: UP031
    sys.exit(
        "error: blobpipes needs Python 3.10 or later, and this is %s.\n  remedy: %s"  # noqa: UP031
        % (sys.version.split()[0], f"run {newer} dev.py" if newer else "install a newer Python and run dev.py with it")
    )

import argparse
import base64
import configparser
import hashlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
PLACE = VENV / ".place"  # where `.venv` was made: its programs name that folder in their first lines
SERVERS = ROOT / ".servers"
AZURITE = "azurite@3.37.0"
OFFICIAL = {  # a folder each for the tests' other halves, so that several versions of one package can be had
    "pipes-1.9": ["dagster-pipes==1.9.13"],
    "pipes-1.13": ["dagster-pipes==1.13.27"],
    "dagster-stores": ["dagster-aws==0.29.27", "dagster-gcp==0.29.27", "dagster-azure==0.29.27"],
    "dagster-1.9": ["dagster==1.9.13", "dagster-pipes==1.9.13", "dagster-aws==0.25.13"],  # in front of the newest
}
CHECKOV = "checkov==3.3.30"

# What to install for whom. `data` is apart because it goes without its dependencies: see pyproject.toml.
SETS = {
    "demo": ["--editable", f"{ROOT}[cli]", "--group", f"{ROOT}/pyproject.toml:example"],
    "dev": ["--editable", f"{ROOT}[all]", "--group", f"{ROOT}/pyproject.toml:dev"],
}
SKEW = "not test_matrix or (([adapter- or [official-) and s3)"  # what runs with an old Dagster too
PARALLEL = ["-n", "2", "--dist", "load"]  # the fast tests need nothing of each other
DATA = ["--no-deps", "--group", f"{ROOT}/pyproject.toml:data"]


class Problem(Exception):  # noqa: N818 - what a person reads, not what a program catches
    """Something to tell the user in one line, with a second line about what to do."""


# --- the virtual environment --------------------------------------------------------------------------


def install(name: str) -> None:
    """Have `.venv` hold the set `name`, as this pyproject.toml wants it."""
    if is_usable():
        if any(stamp_of(done).exists() for done in {name, "dev"}):  # `dev` holds all that `demo` does
            return
    else:
        make_venv()
    began = time.monotonic()
    say(f"installing what `{name}` needs into {VENV} (once; a minute or two)")
    pip("install", "--upgrade", "pip>=25.1")  # the first that knows dependency groups
    pip("install", *SETS[name])
    pip("install", *DATA)
    stamp_of(name).touch()
    say(f"installed in {time.monotonic() - began:.0f} s")


def stamp_of(name: str) -> Path:
    """The file that says that `.venv` holds the set `name` as this pyproject.toml wants it."""
    wanted = (ROOT / "pyproject.toml").read_bytes() + repr([SETS[name], DATA]).encode()
    return VENV / f".has-{name}-{hashlib.sha256(wanted).hexdigest()[:16]}"


def is_usable() -> bool:
    """Whether `.venv` was made here and its Python still runs: false after the checkout moved."""
    try:
        made_here = PLACE.read_text(encoding="utf-8") == str(VENV)
        return made_here and call([str(PYTHON), "-m", "pip", "--version"], quiet=True) == 0
    except OSError:
        return False


def make_venv() -> None:
    say(f"making {VENV} with Python {sys.version.split()[0]}")
    shutil.rmtree(VENV, ignore_errors=True)
    fill_venv()
    PLACE.write_text(str(VENV), encoding="utf-8")


def fill_venv() -> None:
    if call([sys.executable, "-m", "venv", str(VENV)], quiet=True) == 0:
        return
    # Debian and its kin keep ensurepip in a package of its own, which a fresh machine lacks.
    shutil.rmtree(VENV, ignore_errors=True)
    if call([sys.executable, "-m", "venv", "--without-pip", str(VENV)]) != 0:
        raise Problem("this Python cannot make a virtual environment\n  remedy: install its venv module (python3-venv)")
    with tempfile.TemporaryDirectory() as scratch:
        wheel = download_pip(Path(scratch))
        if call([str(PYTHON), f"{wheel}/pip", "install", "--quiet", "--no-index", str(wheel)]) != 0:
            raise Problem(
                f"{wheel.name} does not install\n  remedy: install your system's python3-venv, then try again"
            )


def pip(*arguments: str) -> None:
    """Run pip in `.venv`: one moving line on a terminal, the whole story in `.venv/install.log`."""
    log = VENV / "install.log"
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", *arguments]
    environment = {**os.environ, "PIP_USER": "0", "PYTHONUNBUFFERED": "1"}
    environment.pop("PIP_TARGET", None)
    lines: list[str] = []
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            show_progress(line.strip())
    show_progress("")
    with log.open("a", encoding="utf-8") as file:
        file.writelines([f"$ {' '.join(command)}\n", *lines])
    if process.returncode != 0:
        raise Problem(explain_pip("".join(lines)) + f"\n  pip's whole output: {log}")


def explain_pip(output: str) -> str:
    """The one line of pip's that says why, and what to do."""
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")] or output.splitlines()[-1:]
    offline = re.search(r"name resolution|NewConnectionError|Max retries|timed out|Network is unreachable", output)
    remedy = (
        f"check that {host_of(index_url())} can be reached; behind a proxy set HTTPS_PROXY, with a mirror PIP_INDEX_URL"
        if offline
        else "read what pip says; after a change of your system's Python, remove .venv and try again"
    )
    return f"pip could not install: {' '.join(errors[-1:]).removeprefix('ERROR: ')}\n  remedy: {remedy}"


# --- pip itself, where Python comes without it --------------------------------------------------------


def download_pip(folder: Path) -> Path:
    """The newest pip wheel that runs on this Python, from the package index that pip itself would use."""
    page_url = f"{index_url().rstrip('/')}/pip/"
    say(f"this Python has no ensurepip: fetching pip from {host_of(page_url)}")
    found = []
    for attributes in re.findall(r"<a\s([^>]*)>", fetch(page_url).decode("utf-8", "replace")):
        link = re.search(
            r"""href=["']([^"']*/pip-([0-9.]+)-py3-none-any\.whl(?:#sha256=([0-9a-f]+))?)["']""", attributes
        )
        needs = re.search(r"requires-python=[\"'][^\"']*(?:>|&gt;)=\s*3\.([0-9]+)", attributes)
        if link and (needs is None or int(needs[1]) <= sys.version_info[1]):
            found.append(([int(part) for part in link[2].split(".")], link[1], link[3]))
    if not found:
        raise Problem(
            f"{host_of(page_url)} offers no pip for this Python\n  remedy: install your system's python3-venv"
        )
    _, href, digest = max(found)
    url = urllib.parse.urljoin(page_url, href.replace("&amp;", "&")).partition("#")[0]
    content = fetch(url)
    if digest and hashlib.sha256(content).hexdigest() != digest:
        raise Problem(f"{host_of(url)} sent a damaged pip\n  remedy: try again")
    wheel = folder / urllib.parse.unquote(url.rpartition("/")[2])
    wheel.write_bytes(content)
    return wheel


def index_url() -> str:
    """Where pip would look: PIP_INDEX_URL, else its configuration files, else the public index."""
    home = Path.home()
    config = configparser.RawConfigParser(strict=False)
    standard = [Path("/etc/pip.conf"), home / ".pip/pip.conf", home / ".config/pip/pip.conf"]
    config.read([*standard, os.environ.get("PIP_CONFIG_FILE", os.devnull)])
    configured = config.get("global", "index-url", fallback="https://pypi.org/simple")
    return os.environ.get("PIP_INDEX_URL") or configured


def fetch(url: str) -> bytes:
    """One GET, through the environment's proxies, with the user and password that `url` may hold."""
    parts = urllib.parse.urlsplit(url)
    request = urllib.request.Request(parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl())
    if parts.username:
        pair = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_header("Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            content: bytes = answer.read()
            return content
    except (urllib.error.URLError, OSError) as error:
        raise Problem(
            f"cannot reach {host_of(url)}: {error}\n"
            "  remedy: check the network; behind a proxy set HTTPS_PROXY, with a mirror PIP_INDEX_URL"
        ) from error


def host_of(url: str) -> str:
    """For messages: without the user and password that an index URL may hold."""
    return urllib.parse.urlsplit(url).hostname or url.partition("@")[2] or url


# --- the commands -------------------------------------------------------------------------------------


def demo(arguments: Sequence[str]) -> int:
    """run the example job over a year of flights, twelve months, on this machine"""
    install("demo")
    return call([str(BIN / "blobpipes"), "demo", *arguments])


def check(arguments: Sequence[str]) -> int:
    """format, lint, types, layers and all fast tests: what must pass before a commit"""
    install("dev")
    tools = {
        "ruff format": ["ruff", "format", "--check"],
        "ruff check": ["ruff", "check"],
        "mypy": ["mypy"],
        "layers": ["lint-imports", "--no-logo"],
        "tests": ["pytest", *PARALLEL, *arguments],
    }
    results = {}
    for title, (tool, *options) in tools.items():
        say(title)
        began = time.monotonic()
        status = call([str(BIN / tool), *options])
        results[title] = (status, time.monotonic() - began)
    for title, (status, seconds) in results.items():
        say(f"{'FAILED' if status else 'ok':6}  {title:12} {seconds:6.1f} s")
    return int(any(status for status, _ in results.values()))


def test(arguments: Sequence[str]) -> int:
    """the fast tests alone; options go to pytest"""
    install("dev")
    return call([str(BIN / "pytest"), *PARALLEL, *arguments])


def integration(arguments: Sequence[str]) -> int:
    """tests against real S3, Google Cloud Storage and Azure servers on this machine"""
    install("dev")
    servers([])
    official()
    chosen = any(Path(argument.partition("::")[0]).exists() for argument in arguments)
    return call([str(BIN / "pytest"), *arguments, *([] if chosen else ["integration_tests"])])


def servers(_: Sequence[str]) -> int:
    """install the Azure server (needs npm); the other two are Python packages"""
    package = SERVERS / "node_modules" / "azurite" / "package.json"
    if shutil.which("azurite-blob") or package.exists():
        return 0
    npm = shutil.which("npm")
    if npm is None:
        say("npm is missing, so the tests against Azure cannot run (remedy: install Node.js with npm)")
        return 1
    say(f"installing {AZURITE} into {SERVERS} (once)")
    SERVERS.mkdir(exist_ok=True)
    quiet = ["--no-audit", "--no-fund", "--no-save", "--loglevel=error"]
    return call([npm, "install", "--prefix", str(SERVERS), *quiet, AZURITE])


def official() -> None:
    """Have each of OFFICIAL in a folder of its own: one file each, without the hundreds that they depend on."""
    for name, packages in OFFICIAL.items():
        folder = SERVERS / "official" / name
        stamp = folder / ".has"
        if stamp.exists() and stamp.read_text(encoding="utf-8") == repr(packages):
            continue
        say(f"installing {' '.join(packages)} into {folder} (once)")
        shutil.rmtree(folder, ignore_errors=True)
        pip("install", "--no-deps", "--ignore-requires-python", "--target", str(folder), *packages)
        stamp.write_text(repr(packages), encoding="utf-8")


def pairings(arguments: Sequence[str]) -> int:
    """run every pairing with the official packages and print the table of them"""
    return integration(["-q", "integration_tests/pairing/test_matrix.py", *arguments])


def terraform(arguments: Sequence[str]) -> int:
    """format, security scan and tests of terraform/ (needs the program terraform)"""
    if shutil.which("terraform") is None:
        say("terraform is missing (remedy: install it; versions from 1.9 on)")
        return 1
    install("dev")
    checkov = SERVERS / "checkov"
    if not (checkov / "bin" / "checkov").exists():  # it pins what others need newer, so it lives alone
        say(f"installing {CHECKOV} into {checkov} (once)")
        alone = [str(BIN / "python"), "-m", "venv", "--without-pip", str(checkov)]
        if call(alone) or call([str(BIN / "pip"), "--python", str(checkov), "install", "--quiet", CHECKOV]):
            return 1
    steps = {
        "terraform fmt": ["terraform", "fmt", "-check", "-recursive", "terraform"],
        "checkov": [
            str(checkov / "bin" / "checkov"),
            *("-d", "terraform", "--config-file", "terraform/.checkov.yaml", "--skip-download"),
        ],
        "tests": [str(BIN / "pytest"), "integration_tests/terraform", *arguments],
    }
    failed = [title for title, command in steps.items() if call(command)]
    say(f"FAILED: {', '.join(failed)}" if failed else "terraform: all passed")
    return int(bool(failed))


def skew(arguments: Sequence[str]) -> int:
    """the adapter's tests and a part of the pairings with Dagster 1.9 and with the newest, or with the one named"""
    install("dev")
    official()
    chosen = arguments or ["1.9", "newest"]
    selected = ["integration_tests/dagster", "integration_tests/pairing/test_matrix.py", "-k", SKEW]
    status = 0
    for version in chosen:
        folder = SERVERS / "official" / f"dagster-{version}"
        if version != "newest" and not folder.is_dir():
            raise Problem(f"there is no Dagster {version} here\n  remedy: name one of 1.9 and newest")
        say(f"Dagster {version}")
        path = {} if version == "newest" else {"PYTHONPATH": str(folder), "BLOBPIPES_SKEW": folder.name}
        status |= call([str(BIN / "pytest"), "-q", "-W", "ignore", *selected], {**os.environ, **path})
    return status


COMMANDS: dict[str, Callable[[Sequence[str]], int]] = {
    command.__name__: command for command in (demo, check, test, integration, pairings, skew, servers, terraform)
}


def main() -> int:
    listing = "\n".join(f"  {name:12} {command.__doc__}" for name, command in COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="dev.py", epilog=f"commands:\n{listing}", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=COMMANDS, nargs="?", metavar="command", help="one of those below")
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help="passed on to blobpipes or pytest")
    options = parser.parse_args()
    if options.command is None:
        parser.print_help()
        return 2
    os.chdir(ROOT)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in a shell's background inherits it ignored
    for name in ("SIGHUP", "SIGQUIT"):  # so do these, under nohup; what tests start would ignore them too
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        return COMMANDS[options.command](options.arguments)
    except Problem as problem:
        print(f"error: {problem}", file=sys.stderr)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
    return 1


def call(command: Sequence[str], env: Mapping[str, str] | None = None, *, quiet: bool = False) -> int:
    """Run a program in the foreground, by default in this environment; its exit status."""
    sink = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, env=env, stdout=sink, stderr=sink, check=False).returncode


def say(text: str) -> None:
    print(f"==> {text}", flush=True)


def show_progress(line: str) -> None:
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns - 1
        print("\r\x1b[K" + line[:width], end="", flush=True)


if __name__ == "__main__":
    sys.exit(main())
