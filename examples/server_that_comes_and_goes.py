"""Training does not notice what its dashboard does: it starts without a server, gets one, loses it, gets it again.

python examples/server_that_comes_and_goes.py
"""

import tempfile

from flexlogger import FlexLogger
from flexlogger.server.process import start_server

with tempfile.TemporaryDirectory() as folder:
    with start_server(folder) as server:
        port = server.port  # a free port, which nobody serves after this block
    with FlexLogger({"loss": {}}, {"loss": {"type": "AverageValueMeter"}}, env="away", port=port) as stat:
        for step in range(1000):
            stat.add(loss=1 / (step + 1))
            stat.log(step)
            if step == 300:
                first = start_server(folder, port)
                assert stat.flush()  # shows steps 0 to 300, of which it saw none
            if step == 600:
                first.kill()
        with start_server(folder, port):
            assert stat.flush()
            print("all 1000 steps are on the dashboard, and", stat.status()["written"], "items in", stat.folder)
