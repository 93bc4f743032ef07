"""Containers of a Docker engine, or of podman behind the same kind of socket, and what runs in them."""
