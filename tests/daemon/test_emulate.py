"""`docsyncd emulate`: a remote to try things out with, and what it says when it cannot begin."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from contextlib import closing

import anyio
import pytest
from anyio.streams.text import TextReceiveStream

from tests.daemon.terminal import docsyncd


@pytest.mark.parametrize(("name", "shown"), [("espocrm", "X-Api-Key: "), ("xai", "Authorization: Bearer ")])
async def test_it_prints_its_addresses_and_keys_and_ends_with_ctrl_c(name: str, shown: str) -> None:
    process = await anyio.open_process([sys.executable, "-m", "docsyncd", "emulate", name], stderr=subprocess.PIPE)
    assert process.stdout is not None
    said = ""
    with anyio.fail_after(30):
        async for part in TextReceiveStream(process.stdout):
            said += part
            if "Ctrl-C" in said:
                break
        process.send_signal(signal.SIGINT)
        await process.wait()
    await process.aclose()
    assert shown in said
    assert "http://127.0.0.1:" in said
    assert process.returncode == 130


async def test_a_name_that_nobody_has_and_a_port_that_is_taken() -> None:
    nobody = await docsyncd("emulate", "nobody")
    assert nobody.status == 1
    assert nobody.err.startswith("error: there is no connector 'nobody'.\n  fix: Installed are: ")
    with closing(socket.socket()) as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        taken = await docsyncd("emulate", "espocrm", "--port", port)
    assert taken.status == 1
    assert f"port {port} cannot be used: " in taken.err
    assert (await docsyncd("emulate", "espocrm", "--port", "99999")).status == 2
