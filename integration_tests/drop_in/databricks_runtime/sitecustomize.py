"""`/dbfs` is the folder that the variable DBFS names, for the official package and for ours."""

import builtins
import os

import blobpipes.external.drop_in.databricks as ours

_open = builtins.open


def _open_mounted(file, *args, **kwargs):
    if isinstance(file, str) and file.startswith("/dbfs/"):
        file = os.environ["DBFS"] + file.removeprefix("/dbfs")
    return _open(file, *args, **kwargs)


builtins.open = _open_mounted
ours.MOUNT = os.environ["DBFS"]
