"""The one error of looking into outputs."""


class UnusableOutputError(Exception):
    """The output cannot be opened, is cut short, or is not of the kind asked for; the message says which."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
