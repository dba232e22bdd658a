"""A program that says what it was told, and ends with 7. Run by test_ahead.py, never imported."""

import os
import sys

if __name__ == "__main__":
    sys.stdout.write(f"{os.getpid()} {' '.join(sys.argv[1:])} {os.environ.get('EARLY')} {os.environ.get('LATE')} ")
    sys.stdout.write(f"{'http.server' in sys.modules}\n")
    sys.exit(7)
