"""A keyring that needs no desktop, and one that does not work. The key lies in the file ``key``."""

from __future__ import annotations

from pathlib import Path

from keyring.backend import KeyringBackend


class Drawer(KeyringBackend):
    priority = 1

    def get_password(self, service: str, username: str) -> str | None:
        with Path("asked").open("a") as asked:
            asked.write(f"{service} {username}\n")
        return Path("key").read_text() if service == "aca" else None

    def set_password(self, service: str, username: str, password: str) -> None: ...


class Broken(Drawer):
    def get_password(self, service: str, username: str) -> str | None:
        raise OSError("the keyring is locked")
