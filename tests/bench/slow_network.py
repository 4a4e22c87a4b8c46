#!/usr/bin/env python3
"""A slow network in front of a PostgreSQL on a socket: passes bytes on in both directions, each piece so much later, and counts
round trips: each time the client speaks after the server has answered, from the first ReadyForQuery of each connection on.

    slow_network.py SOCKET MILLISECONDS [MBIT]

Prints its port on 127.0.0.1, and on SIGTERM `ROUND-TRIPS LOGINS BYTES-OUTWARD BYTES-INWARD`. MBIT is the width of the line in
each direction, which all connections share; by default it has no limit. Outward is towards the server.
"""
import asyncio
import os
import signal
import struct
import sys


# Seconds of the line's width that wait in front of it.
BACKLOG = 0.1


class Turn:
    """Whose turn it is on one connection."""

    def __init__(self):
        self.is_open = False
        self.server_spoke = False
        self.head = b""
        self.body = 0

    def opens_in(self, piece):
        """Reads the server's messages up to the first ReadyForQuery. True if it is in this piece."""
        for byte in piece:
            if self.body > 0:
                self.body -= 1
                continue
            self.head += bytes([byte])
            # The answer to a request for TLS is one byte. No other message begins a connection with N.
            if self.head == b"N" and not self.server_spoke:
                self.head = b""
            elif len(self.head) == 5:
                if self.head[:1] == b"Z":
                    return True
                self.body = struct.unpack(">I", self.head[1:])[0] - 4
                self.head = b""
        return False


class Line:
    """One direction of the network. Bytes leave it one after the other at its width."""

    def __init__(self, delay, width):
        self.delay, self.width = delay, width
        self.free = 0.0
        self.bytes = 0

    def due(self, now, piece):
        """The time at which a piece arrives that is handed to the line now."""
        self.bytes += len(piece)
        self.free = max(self.free, now) + (len(piece) / self.width if self.width else 0.0)
        return self.free + self.delay


class Network:
    def __init__(self, socket, delay, width):
        self.socket = socket
        self.outward, self.inward = Line(delay, width), Line(delay, width)
        self.trips = self.logins = 0

    async def connected(self, client_reader, client_writer):
        server_reader, server_writer = await asyncio.open_unix_connection(self.socket)
        turn = Turn()

        def client_says(piece):
            if turn.is_open and turn.server_spoke and piece != b"X\0\0\0\x04":
                turn.server_spoke = False
                self.trips += 1

        def client_hears(piece):
            if not turn.is_open and turn.opens_in(piece):
                turn.is_open = True
                self.logins += 1
            turn.server_spoke = True

        await asyncio.gather(
            carry(self.outward, client_reader, server_writer, client_says, None),
            carry(self.inward, server_reader, client_writer, None, client_hears),
        )


async def carry(line, reader, writer, at_sending, at_delivery):
    loop, queue = asyncio.get_running_loop(), asyncio.Queue()

    async def deliver():
        while (item := await queue.get()) is not None:
            due, piece = item
            await asyncio.sleep(max(0.0, due - loop.time()))
            if at_delivery:
                at_delivery(piece)
            writer.write(piece)
            await writer.drain()
        writer.close()

    delivering = asyncio.ensure_future(deliver())
    try:
        while piece := await reader.read(65536):
            if at_sending:
                at_sending(piece)
            queue.put_nowait((line.due(loop.time(), piece), piece))
            # The line takes no more than it can send soon, so that the sender waits as on a narrow line.
            await asyncio.sleep(max(0.0, line.free - loop.time() - BACKLOG))
    except ConnectionError:
        pass
    queue.put_nowait(None)
    try:
        await delivering
    except ConnectionError:
        pass


async def main():
    width = float(sys.argv[3]) * 1e6 / 8 if len(sys.argv) > 3 else None
    network = Network(sys.argv[1], float(sys.argv[2]) / 1000, width)
    server = await asyncio.start_server(network.connected, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    ended = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, ended.set)
    await ended.wait()
    print(network.trips, network.logins, network.outward.bytes, network.inward.bytes, flush=True)
    # Connections that are still open need no orderly end.
    os._exit(0)


asyncio.run(main())
