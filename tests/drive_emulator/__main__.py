"""`python -m drive_emulator`: prints {"url": ..., "ca": ...} as one line and serves until its standard input closes."""

from __future__ import annotations

import json
import sys
import threading

from drive_emulator.server import Server

server = Server()
threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
print(json.dumps({"url": server.base_url, "ca": str(server.ca)}), flush=True)
sys.stdin.read()
server.calls.stopping.set()
server.shutdown()
server.server_close()
server.storage.close()
