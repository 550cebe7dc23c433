# SPDX-License-Identifier: MIT
"""'vmspace top --listen', and clients that mean it well and that do not.

usage: test_top_listen.py VMSPACE MAPPINGS
"""

import contextlib
import os
import re
import resource
import signal
import socket
import subprocess
import sys

from cli_test import PATIENCE, expect, expect_equal, main, run
from top_command import VMSPACE, Family

GET = b"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
CLIENTS = 32  # as in listen.c


class Server:
    def __init__(self, address="127.0.0.1:0", *options, **popen):
        self.process = subprocess.Popen(
            [VMSPACE, "top", f"--listen={address}", *options],
            stderr=subprocess.PIPE, text=True, **popen)
        line = self.process.stderr.readline()
        match = re.fullmatch(r"listening on http://\[?([^]]*?)\]?:(\d+)/metrics\n",
                             line)
        expect(match, line)
        self.address = match[1], int(match[2])

    def connect(self):
        client = socket.create_connection(self.address, PATIENCE)
        return contextlib.closing(client)

    def ask(self, request=GET):
        with self.connect() as client:
            client.sendall(request)
            return received(client)

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self.process.terminate()
        status = self.process.wait(PATIENCE)
        self.process.stderr.close()
        if kind is None:
            expect_equal(status, -signal.SIGTERM)


def received(client):
    """(status, {header: value}, body) of a whole answer."""
    answer = b""
    while more := client.recv(65536):
        answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return (int(lines[0].split()[1]),
            dict(line.lower().split(": ", 1) for line in lines[1:]), body)


def metrics_are_answered():
    with Family() as family, Server("127.0.0.1:0", "--tree", str(family.pid)) as server:
        status, headers, body = server.ask()
        expect_equal(status, 200)
        expect_equal(headers["content-type"],
                     "application/openmetrics-text; version=1.0.0; charset=utf-8")
        expect_equal(int(headers["content-length"]), len(body))
        expect(body.endswith(b"# EOF\n"), body)
        expect(f'pid="{family.children[0]}",name="beta"'.encode() in body, body)
        status, headers, nothing = server.ask(GET.replace(b"GET", b"HEAD"))
        expect_equal((status, nothing), (200, b""))
        expect(int(headers["content-length"]) > 1000, headers)


def another_address_serves_too():
    with Server("[::1]:0") if os.path.exists("/proc/net/if_inet6") else \
            Server("localhost:0") as server:
        expect_equal(server.ask()[0], 200)


def figures_are_read_anew():
    with Family() as family, Server("127.0.0.1:0", "--tree", str(family.pid)) as server:
        def resident():
            body = server.ask()[2].decode()
            return int(re.search(r'resident_bytes\{pid="%d".*\} (\d+)' % family.pid,
                                 body)[1])
        before = resident()
        family.tell(1000)
        while resident() < before + 990 * os.sysconf("SC_PAGE_SIZE"):
            pass


def what_is_no_request_is_refused():
    with Server() as server:
        for request, status in (
                (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 404),
                (b"GET /metrics HTTP/1.1\r\nHost: evil.test\r\n\r\n", 403),
                (b"POST /metrics HTTP/1.1\r\nHost: [::1]\r\n"
                 b"Content-Length: 4\r\n\r\nbody", 405),
                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
                (b"GET /metrics HTTP/3\r\n\r\n", 505),
                (b"GET /" + b"a" * 8000 + b" HTTP/1.1\r\n\r\n", 431),
                (b"\r\n" * 4000, 400), (b"\0" * 100, 400)):
            have, headers, _ = server.ask(request)
            expect_equal(have, status, request[:40])
            if status == 405:
                expect_equal(headers["allow"], "get, head")
        # What comes after the request is nobody's.
        with server.connect() as client:
            client.sendall(GET + b"x" * 100000)
            expect_equal(received(client)[0], 200)
        expect_equal(server.ask()[0], 200)


def slow_clients_hold_up_nobody():
    with Server() as server, contextlib.ExitStack() as stack:
        slow = [stack.enter_context(server.connect()) for _ in range(CLIENTS + 10)]
        for client in slow[-5:]:
            client.sendall(GET[:20])
        expect_equal(server.ask()[0], 200)
        expect_equal(server.ask()[0], 200)
        # The first ones have lost their places to those that came later.
        expect_equal(slow[0].recv(1), b"")
        # A client that goes on in pieces is answered.
        for byte in GET[20:]:
            slow[-1].sendall(bytes([byte]))
        expect_equal(received(slow[-1])[0], 200)
        # One that says no more is told that it is late.
        expect_equal(received(slow[-2])[0], 408)


def few_descriptors_are_enough():
    def lower():
        resource.setrlimit(resource.RLIMIT_NOFILE, (12, 12))

    with Server(preexec_fn=lower) as server, contextlib.ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(server.connect())
        expect_equal(server.ask()[0], 200)


def clients_that_go_away_leave_nothing():
    with Server() as server:
        expect_equal(server.ask()[0], 200)
        for i in range(100):
            with server.connect() as client:
                client.sendall(GET[:i] if i < len(GET) else GET)
                if i % 3 == 0:
                    # The connection is reset.
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      b"\1\0\0\0\0\0\0\0")
        while len([name for name in os.listdir(f"/proc/{server.process.pid}/fd")
                   if is_socket(server.process.pid, name)]) > 1:
            pass
        expect_equal(server.ask()[0], 200)


def is_socket(pid, name):
    try:
        return os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:")
    except FileNotFoundError:
        return False


def an_address_in_use_is_told():
    with Server() as server:
        result = run([VMSPACE, "top", "--listen=127.0.0.1:%d" % server.address[1]])
        expect_equal(result.returncode, 1)
        expect(b"in use" in result.stderr, result.stderr)


sys.exit(main([
    metrics_are_answered,
    another_address_serves_too,
    figures_are_read_anew,
    what_is_no_request_is_refused,
    slow_clients_hold_up_nobody,
    few_descriptors_are_enough,
    clients_that_go_away_leave_nothing,
    an_address_in_use_is_told,
]))
