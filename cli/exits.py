"""The exit codes of `genqueue`, so that scripts can tell what happened. Documented in docs/cli.md; a test compares."""

from enum import IntEnum


class Exit(IntEnum):
    """What a command ended with."""

    DONE = 0
    REFUSED = 1
    USAGE = 2
    NOT_COMPLETED = 3
    UNREACHABLE = 4
    NO_KEY = 5
    INTERRUPTED = 130


MEANINGS = {
    Exit.DONE: "done; with `--wait`: the job is completed",
    Exit.REFUSED: "the API refused, or a file could not be written; the sentence on stderr says why",
    Exit.USAGE: "the command line is wrong",
    Exit.NOT_COMPLETED: "the job (or a row of the batch) is over without an output: failed, cancelled or expired",
    Exit.UNREACHABLE: "no API answers at the URL",
    Exit.NO_KEY: "there is no key, or the API does not know it",
    Exit.INTERRUPTED: "Ctrl-C; the job goes on, `genqueue watch` looks on again",
}
EPILOG = "Exit codes: " + "; ".join(f"{code.value}: {said}" for code, said in MEANINGS.items()) + "."
