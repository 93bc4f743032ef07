"""The claude CLI and its SDK: called, held to what a plan allows, and read."""
