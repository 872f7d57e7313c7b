"""``python -m flexlogger.server``: the same as ``flexlogger server``."""

import sys

from flexlogger.cli import main

if __name__ == "__main__":
    sys.exit(main(["server", *sys.argv[1:]]))
