"""The systems that are compared: each loads, answers and writes in its own way, behind the same methods."""
