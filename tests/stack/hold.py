"""Runs a stack of the three servers until it is told to stop: the supervisor that tests kill."""

import argparse
import sys
from pathlib import Path

from cli import up
from cli.stack import stack


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("data_dir", type=Path)
    arguments = parser.parse_args()
    return up.serve(stack.Stack(data_dir=arguments.data_dir, servers_only=True, usual_ports=False))


if __name__ == "__main__":
    sys.exit(main())
