"""A discrete-event simulation of one installation, fed with the measured costs of each step."""
