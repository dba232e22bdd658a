"""The sandbox provider: an outside company in miniature, with its own HTTP server.

It makes real films, pictures and texts, offline and always the same for the same prompt and seed,
and it misbehaves on request, by model name. Run it with `python -m shared.providers.sandbox`.
The wire format and the list of models are in README.md beside this file. The server side knows
nothing of the rest of genqueue.
"""
