class StackError(Exception):
    """The local stack cannot start or go on; the text says why and what to do."""


class StartError(StackError):
    """A server or process ended, or stayed silent, while it was being started."""

    def __init__(self, name: str, reason: str, log: str) -> None:
        self.name = name
        self.log = log
        super().__init__(f"{name} {reason}\n{log}" if log else f"{name} {reason}")

    @property
    def port_was_taken(self) -> bool:
        """Another program took the port between our look and the server's bind: worth a new port."""
        return "address already in use" in self.log.lower() or "port allocation failed" in self.log.lower()
