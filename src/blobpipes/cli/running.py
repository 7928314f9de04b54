"""Around every command: the printer that it speaks through, and one line for whatever ends it."""

from __future__ import annotations

import argparse
import os
import sys
import traceback
from collections.abc import Callable
from typing import TextIO

from blobpipes.cli import exit_codes
from blobpipes.cli.lasting_printer import LastingPrinter
from blobpipes.cli.printers import Printer, make_printer
from blobpipes.cli.quiet import silence
from blobpipes.errors import BlobpipesError
from blobpipes.storage.url import redact

Execute = Callable[[argparse.Namespace, Printer], int]


def run_command(execute: Execute, args: argparse.Namespace, stdout: TextIO, *, lasting: bool) -> int:
    """The command's exit code, or that of the error which ended it.

    Args:
        lasting: the command runs jobs, and goes on in silence if nobody reads its output any more.
    """
    printer = make_printer(stdout, as_json=args.json)
    if not lasting:
        return _run(execute, args, printer)
    patient = LastingPrinter(printer)
    code = _run(execute, args, patient)
    if patient.is_broken:
        silence(stdout)
    return code


def _run(execute: Execute, args: argparse.Namespace, printer: Printer) -> int:
    try:
        code = execute(args, printer)
        printer.close()
    except BrokenPipeError:
        raise
    except KeyboardInterrupt:
        printer.close()
        sys.stderr.write("interrupted\n")
        return exit_codes.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - a person reads it: one line, and the rest when asked for
        printer.close()
        return _explain(error, verbose=args.verbose or bool(os.environ.get("BLOBPIPES_DEBUG")))
    return code


def _explain(error: Exception, *, verbose: bool) -> int:
    """What went wrong and what can be done, on stderr and without secrets; the exit code."""
    if verbose:
        sys.stderr.write(redact("".join(traceback.format_exception(error))))
    if isinstance(error, BlobpipesError):
        text, remedy, code = error.message, error.remedy, exit_codes.of_error(error)
    else:
        text, remedy, code = _unexpected(error)
    sys.stderr.write(redact(f"error: {' '.join(text.split())}\n  remedy: {' '.join(remedy.split())}\n"))
    return code


def _unexpected(error: Exception) -> tuple[str, str, int]:
    text = f"unexpected {type(error).__name__}: {error}"
    return text, "Please report this with what `-v` shows.", exit_codes.SOFTWARE
