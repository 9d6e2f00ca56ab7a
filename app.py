"""Start the demo; Hugging Face Spaces run this file. Everything else is in `mtdemo.ui.launch`."""

import sys

from mtdemo.ui.launch import main

if __name__ == "__main__":
    sys.exit(main())
