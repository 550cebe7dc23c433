# SPDX-License-Identifier: MIT
"""A redis server whose value is appended to, over a socket."""

import os
import signal
import socket
import time
from pathlib import Path

import machine

CHUNK = 16384
PIPELINE = 16
# Debian's package of the server is a link to this file of redis-tools.
SERVER = '/usr/bin/redis-check-rdb'


def _connect(path, process, deadline):
    while time.monotonic() < deadline and process.poll() is None:
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(str(path))
            return client
        except OSError:
            client.close()
            time.sleep(0.01)
    raise RuntimeError('redis-server does not answer')


def _append(client, size, deadline):
    """Append to a value until it has its size; the last answer."""
    value = b'x' * CHUNK
    command = (b'*3\r\n$6\r\nAPPEND\r\n$3\r\nkey\r\n$%d\r\n%s\r\n'
               % (CHUNK, value)) * PIPELINE
    answers = client.makefile('rb')
    answer = b''
    for _ in range(max(1, size // CHUNK // PIPELINE)):
        if time.monotonic() > deadline:
            raise TimeoutError
        client.sendall(command)
        for _ in range(PIPELINE):
            answer = answers.readline()
            if not answer.startswith(b':'):
                raise RuntimeError(answer.decode(errors='replace').strip())
    return answer


def _peak(pid):
    for line in Path(f'/proc/{pid}/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024
    return 0


def _processor(pid):
    """Seconds of the processor that a process took, user and system."""
    fields = Path(f'/proc/{pid}/stat').read_text().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def run(directory, environment, size, timeout, output):
    """Append to a value of a fresh server; the time is that of the appends."""
    path = directory / 'redis.sock'
    path.unlink(missing_ok=True)
    process = machine.start(
        ['redis-server', '--port', 0, '--unixsocket', path, '--save', '',
         '--appendonly', 'no', '--daemonize', 'no', '--logfile', '/dev/null'],
        executable=SERVER, env=environment, cwd=directory)
    begin = time.monotonic()
    client = None
    try:
        client = _connect(path, process, begin + 10)
        client.settimeout(timeout)
        begin = time.monotonic()
        answer = _append(client, size, begin + timeout)
        seconds = time.monotonic() - begin
        outcome = machine.Outcome('done', seconds, _processor(process.pid),
                                  _peak(process.pid))
        output.write_bytes(answer)
        # Ends as it would by itself, so that the heap tells its figures.
        process.send_signal(signal.SIGTERM)
        process.wait(10)
        return outcome
    except TimeoutError:
        return machine.Outcome('timeout', time.monotonic() - begin)
    finally:
        if client:
            client.close()
        if process.poll() is None:
            process.kill()
            process.wait()
