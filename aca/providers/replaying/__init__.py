"""Replay in place of a model: the script, who plays it, and how one is recorded."""
