"""``python -m flexlogger``: the same as ``flexlogger``."""

import sys

from flexlogger.cli import main

if __name__ == "__main__":
    sys.exit(main())
