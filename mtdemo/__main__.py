"""`python -m mtdemo`."""

import sys

from mtdemo.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
