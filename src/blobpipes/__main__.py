"""`python -m blobpipes` is the command `blobpipes`."""

import sys

from blobpipes.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
