"""``python -m lfr.cli`` is ``lfr``."""

from lfr.cli.app import main

if __name__ == "__main__":
    main()
