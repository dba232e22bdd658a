"""The collector of cycles, told to leave alone what stays for the whole life of a process."""

import gc

# Objects made and not dropped, before the collector looks for cycles among the young ones.
COLLECT_AFTER = 20_000


def spare() -> None:
    """What is there now stays: the collector need not look through it again, every few requests. Call it when all is
    loaded. May be repeated.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(COLLECT_AFTER)
