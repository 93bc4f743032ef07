"""A proxy that lets through what goes to certain hosts. It runs by itself, with nothing but Python.

    python3 -c "$(cat proxy.py)" PORT api.anthropic.com:443 '*.example.org:443'

It speaks HTTP as clients do to a proxy: CONNECT for TLS, whole URLs for the rest. It prints a line when it
listens.
"""

import asyncio
import fnmatch
import sys
from urllib.parse import urlsplit

LONGEST = 1 << 16
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def is_allowed(host: str, port: int, allowed: list[str]) -> bool:
    """Whether some entry names this host and port; ``*.`` at its beginning stands for any subdomain."""
    return any(fnmatch.fnmatchcase(f"{host.lower().rstrip('.')}:{port}", entry) for entry in allowed)


def entries(given: list[str]) -> list[str]:
    """What ``is_allowed`` compares with: in lower case, and with a port."""
    return [(one if ":" in one else f"{one}:443").lower() for one in given]


async def serve(client: Streams, allowed: list[str]) -> None:
    """One connection: one request, and whatever follows it to the same host."""
    try:
        head = await client[0].readuntil(b"\r\n\r\n")
        method, target, _ = head.split(b"\r\n", 1)[0].decode("latin-1").split(" ", 2)
        is_tunnel = method == "CONNECT"
        url = urlsplit(f"//{target}" if is_tunnel else target)
        host, port = url.hostname or "", url.port or (443 if is_tunnel else 80)
    except (ValueError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
        await answer(client, "400 Bad Request", "this is a proxy")
        return
    if not is_allowed(host, port, allowed):
        await answer(client, "403 Forbidden", f"{host}:{port} is not among docker.allow_hosts")
        return
    try:
        server = await asyncio.open_connection(host, port, limit=LONGEST)
    except OSError as error:
        await answer(client, "502 Bad Gateway", f"{host}:{port} cannot be reached: {error}")
        return
    if is_tunnel:
        client[1].write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    else:
        server[1].write(forwarded(head, url.path or "/", url.query))
    await asyncio.gather(copy(client[0], server[1]), copy(server[0], client[1]))


def forwarded(head: bytes, path: str, query: str) -> bytes:
    """The head of a request as the server wants it: a path, and one request per connection."""
    first, *rest = head.rstrip(b"\r\n").split(b"\r\n")
    method, _, version = first.split(b" ", 2)
    target = (f"{path}?{query}" if query else path).encode("latin-1")
    kept = [line for line in rest if not line.lower().startswith((b"proxy-", b"connection:"))]
    return b"\r\n".join([b" ".join([method, target, version]), *kept, b"Connection: close", b"", b""])


async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Until the end of *source*, which then is that of *target*."""
    try:
        while chunk := await source.read(LONGEST):
            target.write(chunk)
            await target.drain()
        if target.can_write_eof():
            target.write_eof()
    except OSError:
        target.close()


async def answer(client: Streams, status: str, why: str) -> None:
    """Say what is wrong."""
    body = f"aca: {why}\n".encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    client[1].write(head.encode() + body)
    await client[1].drain()


async def main(port: int, allowed: list[str]) -> None:
    """Serve until somebody ends it."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await serve((reader, writer), allowed)
        except OSError:
            pass  # the client has gone away
        finally:
            writer.close()

    server = await asyncio.start_server(connected, "0.0.0.0", port, limit=LONGEST)  # noqa: S104 - in its container
    print("listening", flush=True)  # noqa: T201
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), entries(sys.argv[2:])))
