"""A line with a delay: what comes from the client reaches the server that much later.

A process of its own: relay.py SERVER_PORT SECONDS. Prints the port it listens on. Bytes keep their order
and their rate, as on a long line, so that every request, but not every packet of it, costs the delay once.
"""

import asyncio
import sys

CHUNK = 1 << 16


async def delayed(reader, writer, delay):
    """Copies what comes in, each piece `delay` seconds after it came."""
    loop = asyncio.get_running_loop()
    line = asyncio.Queue()

    async def send():
        while (due_piece := await line.get()) is not None:
            due, piece = due_piece
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            writer.write(piece)
            await writer.drain()

    sender = asyncio.create_task(send())
    try:
        while piece := await reader.read(CHUNK):
            line.put_nowait((loop.time() + delay, piece))
    finally:
        line.put_nowait(None)
        await sender
        writer.close()


async def straight(reader, writer):
    try:
        while piece := await reader.read(CHUNK):
            writer.write(piece)
            await writer.drain()
    finally:
        writer.close()


async def main(server_port, delay):
    async def serve(reader, writer):
        server_reader, server_writer = await asyncio.open_connection("127.0.0.1", server_port)
        # A side that hangs up ends the other; which one was first does not matter.
        await asyncio.gather(delayed(reader, server_writer, delay), straight(server_reader, writer),
                             return_exceptions=True)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(listener.sockets[0].getsockname()[1], flush=True)
    await listener.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), float(sys.argv[2])))
