"""A module as it must not be among those that are imported ahead."""

import threading

threading.Thread(target=threading.Event().wait, daemon=True).start()
