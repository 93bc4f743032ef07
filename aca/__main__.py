"""``python -m aca``."""

from aca.cli import run_main

if __name__ == "__main__":
    run_main()
