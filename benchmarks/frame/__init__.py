"""What the figures share: rounds and medians, the printed line, servers and processes, memory, a load generator."""
