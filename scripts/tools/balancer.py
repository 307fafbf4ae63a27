"""A small TCP balancer: hands connections on to the frontends that say they are ready, in turn.

What a load balancer in front of several frontends does, for one machine: every half second it asks each for /readyz, and a
connection that cannot be made goes to the next. SIGUSR1 has it say which of them are ready.

usage: balancer.py PORT FRONTEND-PORT...
"""

import asyncio
import signal
import sys


class Balancer:
    def __init__(self, ports):
        self.ports = ports
        self.ready = set()
        self.turn = 0

    async def watch(self, port):
        while True:
            try:
                await asyncio.wait_for(self.ask(port), 2)
            except (OSError, asyncio.TimeoutError):
                self.ready.discard(port)
            await asyncio.sleep(0.5)

    async def ask(self, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            line = await reader.readline()
        finally:
            writer.close()
        if b" 200 " in line:
            self.ready.add(port)
        else:
            self.ready.discard(port)

    async def connect(self):
        for _ in self.ports:
            self.turn += 1
            port = self.ports[self.turn % len(self.ports)]
            if port not in self.ready:
                continue
            try:
                return await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                self.ready.discard(port)
        raise ConnectionRefusedError("no frontend is ready")

    async def serve(self, reader, writer):
        try:
            back, forth = await self.connect()
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.hand_on(reader, forth), self.hand_on(back, writer))

    async def hand_on(self, reader, writer):
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def tell(self):
        print("ready:", *sorted(self.ready), flush=True)


async def main():
    listening, *frontends = (int(text) for text in sys.argv[1:])
    balancer = Balancer(frontends)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, balancer.tell)
    server = await asyncio.start_server(balancer.serve, "127.0.0.1", listening)
    async with server:
        await asyncio.gather(server.serve_forever(), *(balancer.watch(port) for port in frontends))


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__.rsplit("\n\n", 1)[1])
    asyncio.run(main())
