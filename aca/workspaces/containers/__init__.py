"""Containers of a Docker engine, or of podman behind the same kind of socket, and what runs in them.

engine     whether one answers, what it has   contained  the container of an attempt
execution  one program that runs in it        network    what it reaches, with proxy, through which it does
"""
