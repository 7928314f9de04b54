"""Runs on the machine: fetches blobpipes and the program's code, and runs the program under `blobpipes exec`.

The only file that is there at first, so it uses the standard library alone and imports nothing of blobpipes. It is
sent as text, inside the boot script. Twice it is a process: first it brings blobpipes; then, under `blobpipes exec`, it
brings the code and becomes the program. So whatever goes wrong with the code is told in the session.

What it holds of secrets it got from the machine's own metadata service; nothing of that was sent here.
"""

from __future__ import annotations

import datetime
import glob
import hashlib
import hmac
import json
import os
import subprocess
import sys
import tarfile
import time
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from collections.abc import Callable
from typing import Any, Final, NoReturn, TypeAlias

Settings: TypeAlias = "dict[str, Any]"
Credentials: TypeAlias = "tuple[str, str, str | None]"

TRIES: Final = 6  # a machine's network and role may take some seconds to come up
AZURE_API: Final = "2021-08-06"
STARTED: Final = time.monotonic()


class BootError(Exception):
    """What went wrong, in one sentence."""


# --- telling -------------------------------------------------------------------------------------------


def say(text: str) -> None:
    """On the console, in a file, and in the session as soon as there is one."""
    line = f"[boot {time.monotonic() - STARTED:6.1f} s] {text}"
    print(line, flush=True)
    messages = os.environ.get("BLOBPIPES_MESSAGES_FILE")
    if messages:
        tell(messages, line)
    else:
        with open("boot.log", "a", encoding="utf-8") as log:
            log.write(line + "\n")


def tell(messages: str, text: str, level: str = "INFO") -> None:
    with open(messages, "a", encoding="utf-8") as file:
        file.write(json.dumps({"method": "log", "params": {"message": text, "level": level}}) + "\n")


# --- fetching: with the machine's own identity ------------------------------------------------------------


def fetch(url: str, path: str) -> None:
    """Store what is at `url` in a file."""
    scheme = url.split("://", 1)[0]
    if scheme == "file":
        url = "file://" + urllib.parse.quote(url[len("file://") :])
    ask = {"s3": s3_request, "gs": gcs_request, "az": azure_request, "abfs": azure_request}.get(scheme, plain_request)
    content = answered(lambda: ask(url), "fetching " + without_query(url))
    with open(path, "wb") as file:
        file.write(content)


def answered(make: Callable[[], urllib.request.Request], what: str) -> bytes:
    """The answer's body; asked again when that may help."""
    for attempt in range(TRIES):
        try:
            with urllib.request.urlopen(make(), timeout=60) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError as error:
            said = error.read(300).decode("utf-8", "replace")
            may_pass = (
                error.code in (401, 403, 408, 429) or error.code >= 500
            )  # a new role is not known everywhere at once
            if not may_pass or attempt == TRIES - 1:
                raise BootError(f"{what}: {error.code} {' '.join(said.split())}") from None
        except OSError as error:
            if attempt == TRIES - 1:
                raise BootError(f"{what}: {error}") from None
        time.sleep(min(2**attempt, 10))
    raise AssertionError


def without_query(url: str) -> str:
    """For messages: a query may hold a signature."""
    return url.split("?", 1)[0]


def plain_request(url: str) -> urllib.request.Request:
    """As it is."""
    return urllib.request.Request(url)


def metadata(url: str, headers: dict[str, str], method: str = "GET") -> str:
    """What the platform tells this machine."""
    request = urllib.request.Request(url, headers=headers, method=method)
    return answered(lambda: request, "asking this machine's metadata service").decode()


def s3_request(url: str) -> urllib.request.Request:
    """Signed with the credentials of the environment, or of the machine's role."""
    bucket, key = url[len("s3://") :].split("/", 1)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL")
    quoted = urllib.parse.quote(key, safe="/-_.~")
    if endpoint:
        target = f"{endpoint.rstrip('/')}/{bucket}/{quoted}"
    elif "." in bucket:  # the certificate covers one level of names only
        target = f"https://s3.{region}.amazonaws.com/{bucket}/{quoted}"
    else:
        target = f"https://{bucket}.s3.{region}.amazonaws.com/{quoted}"
    return signed(target, region, aws_credentials(), datetime.datetime.now(datetime.timezone.utc))


def aws_credentials() -> Credentials:
    """Key, secret and token: of the environment, else of the machine's role."""
    key = os.environ.get("AWS_ACCESS_KEY_ID")
    if key:
        return key, os.environ["AWS_SECRET_ACCESS_KEY"], os.environ.get("AWS_SESSION_TOKEN")
    service = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://169.254.169.254").rstrip("/")
    wish = {"X-aws-ec2-metadata-token-ttl-seconds": "300"}
    token = {"X-aws-ec2-metadata-token": metadata(service + "/latest/api/token", wish, "PUT")}
    roles = service + "/latest/meta-data/iam/security-credentials/"
    found = json.loads(metadata(roles + metadata(roles, token).split()[0], token))
    return found["AccessKeyId"], found["SecretAccessKey"], found.get("Token")


def signed(target: str, region: str, credentials: Credentials, now: datetime.datetime) -> urllib.request.Request:
    """A GET with AWS's signature, version 4. https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html"""
    access, secret, token = credentials
    parts = urllib.parse.urlsplit(target)
    stamp, day = now.strftime("%Y%m%dT%H%M%SZ"), now.strftime("%Y%m%d")
    empty = hashlib.sha256(b"").hexdigest()
    headers = {"host": parts.netloc, "x-amz-content-sha256": empty, "x-amz-date": stamp}
    if token:
        headers["x-amz-security-token"] = token
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    canonical = f"GET\n{parts.path}\n\n{lines}\n{names}\n{empty}"
    scope = f"{day}/{region}/s3/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    key = ("AWS4" + secret).encode()
    for part in (day, region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return urllib.request.Request(target, headers=headers)


def gcs_request(url: str) -> urllib.request.Request:
    """With a token of the machine's service account."""
    bucket, key = url[len("gs://") :].split("/", 1)
    endpoint = os.environ.get("STORAGE_EMULATOR_HOST")
    headers = {}
    if not endpoint:
        host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
        account = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
        token = json.loads(metadata(account, {"Metadata-Flavor": "Google"}))["access_token"]
        headers["Authorization"] = "Bearer " + token
    base = endpoint or "https://storage.googleapis.com"
    base = base if "://" in base else "http://" + base
    name = urllib.parse.quote(key, safe="")
    return urllib.request.Request(f"{base}/storage/v1/b/{bucket}/o/{name}?alt=media", headers=headers)


def azure_request(url: str) -> urllib.request.Request:
    """With a token of the machine's managed identity."""
    container, key = url.split("://", 1)[1].split("/", 1)
    account = os.environ.get("AZURE_STORAGE_ACCOUNT_NAME", "")
    if "@" in container:  # abfs://container@account.dfs.core.windows.net
        container, host = container.split("@", 1)
        account = host.split(".", 1)[0]
    service = os.environ.get("BLOBPIPES_AZURE_METADATA", "http://169.254.169.254").rstrip("/")
    query = "api-version=2018-02-01&resource=https%3A%2F%2Fstorage.azure.com%2F"
    found = json.loads(metadata(f"{service}/metadata/identity/oauth2/token?{query}", {"Metadata": "true"}))
    base = os.environ.get("BLOBPIPES_AZURE_BLOB", f"https://{account}.blob.core.windows.net")
    headers = {"Authorization": "Bearer " + found["access_token"], "x-ms-version": AZURE_API}
    return urllib.request.Request(f"{base}/{container}/{urllib.parse.quote(key)}", headers=headers)


# --- first: bring blobpipes ---------------------------------------------------------------------------------


def bring_blobpipes(settings: Settings) -> str:
    """Where it was installed to. No package index is asked: all wheels are in the kit."""
    site = os.path.abspath("site")
    say("fetching blobpipes")
    fetch(settings["kit"], "kit.tar.gz")
    with tarfile.open("kit.tar.gz") as kit:
        extract(kit, "kit")
    say(f"installing blobpipes for Python {sys.version_info[0]}.{sys.version_info[1]}")
    pip = glob.glob("kit/pip-*.whl")[0] + "/pip"
    wheels = sorted(path for path in glob.glob("kit/*.whl") if not os.path.basename(path).startswith("pip-"))
    quiet = ["--quiet", "--disable-pip-version-check", "--root-user-action=ignore", "--no-compile"]
    install = [sys.executable, pip, "install", *quiet, "--no-index", "--no-deps", "--target", site, *wheels]
    done = subprocess.run(install, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        raise BootError("installing blobpipes: " + last_line(done.stdout.decode("utf-8", "replace")))
    return site


def run_supervised(settings: Settings, site: str) -> int:
    """Become `blobpipes exec`, which runs this file again, to bring the code."""
    here = os.path.abspath(__file__)
    environment = dict(os.environ)
    environment.update(settings["env"])
    environment["BLOBPIPES_BOOT_PATH"] = os.environ.get("PYTHONPATH", "")  # the program gets what it would have had
    environment["PYTHONPATH"] = site
    environment.setdefault("BLOBPIPES_SPOOL_DIR", os.path.abspath("spool"))
    say("starting blobpipes exec")
    command = [sys.executable, "-m", "blobpipes", "exec", "--", sys.executable, here, "code"]
    return subprocess.run(command, env=environment, check=False).returncode


# --- then, under `blobpipes exec`: bring the code and become the program ----------------------------------------


def bring_code(code: Settings) -> str:
    """The folder in which the program shall run."""
    kind = code.get("kind", "none")
    folder = os.path.abspath("code")
    os.makedirs(folder, exist_ok=True)
    if kind == "files":
        for name, text in code["files"].items():
            path = os.path.join(folder, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
    elif kind == "archive":
        say("fetching the code from " + without_query(code["url"]))
        fetch(code["url"], "code.archive")
        unpack("code.archive", folder)
    elif kind == "git":
        say(f"fetching the code from {without_query(code['url'])} at {code['revision']}")
        called(["git", "init", "--quiet", folder])
        called(["git", "-C", folder, "fetch", "--quiet", "--depth=1", code["url"], code["revision"]])
        called(["git", "-C", folder, "checkout", "--quiet", "FETCH_HEAD"])
    return folder


def extract(archive: tarfile.TarFile, folder: str) -> None:
    """Nothing outside of the folder, where this Python can see to that (all that are still maintained)."""
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
    else:
        archive.extractall(folder)


def unpack(path: str, folder: str) -> None:
    """A zip or a tar file."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)  # leaves out what would lie outside of the folder
    elif tarfile.is_tarfile(path):
        with tarfile.open(path) as archive:
            extract(archive, folder)
    else:
        raise BootError("the code's archive is neither a zip nor a tar file")


def called(command: list[str], name: str | None = None) -> None:
    """Run it; what it says last becomes the error."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    except FileNotFoundError:
        raise BootError(f"{command[0]} is not installed on this machine") from None
    if done.returncode:
        raise BootError(f"{name or ' '.join(command[:2])}: {last_line(done.stdout.decode('utf-8', 'replace'))}")


def become_program(settings: Settings) -> NoReturn:
    """Its process id stays this one's, so that signals reach it."""
    environment = dict(os.environ)
    paths = [environment.pop("BLOBPIPES_BOOT_PATH", ""), environment["PYTHONPATH"]]
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    command = settings["command"]
    code = settings.get("code") or {}
    folder = bring_code(code)
    if code.get("kind") == "image":
        command = in_container(code["image"], environment, command)
    for setup in settings.get("setup", []):
        say("running " + setup)
        called(["/bin/sh", "-c", setup], "setup")
    say("starting " + os.path.basename(command[0]))
    os.chdir(settings.get("cwd") or folder)
    sys.stdout.flush()
    try:
        os.execvpe(command[0], command, environment)
    except FileNotFoundError:
        raise BootError(f"{command[0]}: no such program on this machine") from None


def in_container(image: str, environment: dict[str, str], command: list[str]) -> list[str]:
    """The messages file and the context reach the container through a folder that both see."""
    messages = os.path.dirname(environment["BLOBPIPES_MESSAGES_FILE"])
    ours = ("DAGSTER_PIPES_", "BLOBPIPES_", "AWS_", "AZURE_", "GOOGLE_", "STORAGE_")
    passed_on = [f"--env={name}" for name in sorted(environment) if name.startswith(ours)]
    say("pulling " + image)
    called(["docker", "pull", "--quiet", image])
    mount = ["--volume", f"{messages}:{messages}"]
    return ["docker", "run", "--rm", "--network=host", *mount, *passed_on, image, *command]


def last_line(text: str) -> str:
    """The last one that says something."""
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it failed and said nothing"


def main(arguments: list[str]) -> int:
    """Without an argument the first time, with `code` the second."""
    with open("settings.json", encoding="utf-8") as file:
        settings = json.load(file)
    if arguments == ["code"]:
        with open("boot.log", encoding="utf-8") as log:
            tell(os.environ["BLOBPIPES_MESSAGES_FILE"], log.read().rstrip())
        try:
            become_program(settings)
        except (BootError, OSError) as error:
            tell(os.environ["BLOBPIPES_MESSAGES_FILE"], f"the program was not started: {error}", "ERROR")
            say(f"the boot has failed: {error}")
            return 70
    try:
        return run_supervised(settings, bring_blobpipes(settings))
    except (BootError, OSError, tarfile.TarError) as error:
        say(f"the boot has failed: {error}")
        return 70


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
