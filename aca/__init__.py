"""aca, the Automatic Coding Agent: runs a file of coding tasks with coding agents."""

__version__ = "0.1.0"
