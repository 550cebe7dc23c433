# SPDX-License-Identifier: MIT
"""PostgreSQL under 'vmspace limit': a query that asks for too much
fails, and nothing else does.

usage: test_postgres.py VMSPACE
"""

import glob
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

from cli_test import PATIENCE, Skip, expect, expect_equal, main, run

VMSPACE = os.path.abspath(sys.argv[1])
LIMIT = "400M"
ROWS = 50000
# About 600 MB in one value: it doubles as it grows, and passes the limit.
GREEDY = ("SELECT length(string_agg(repeat('y', 1000) || i, '')) "
          "FROM generate_series(1, 600000) i")


def programs():
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))
    if not found or not shutil.which("psql"):
        raise Skip("no PostgreSQL")
    return os.path.dirname(found[-1])


def owner():
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        raise Skip("no user that PostgreSQL could run as") from None
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def check_access(options):
    """Whether that user can reach the program that is tested."""
    try:
        tried = subprocess.run([VMSPACE, "--version"], check=False,
                               capture_output=True, cwd="/", **options)
    except PermissionError:
        raise Skip(f"PostgreSQL's user cannot run {VMSPACE}") from None
    expect_equal(tried.returncode, 0, tried.stderr)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A cluster of its own on a loopback port, in the group of a budget."""

    def __init__(self, directory):
        self.bin = programs()
        self.owner = owner()
        check_access(self.owner)
        self.directory = directory
        self.port = str(free_port())
        self.report = os.path.join(directory, "report.json")
        if self.owner:
            os.chown(directory, self.owner["user"], self.owner["group"])
        self._initialise()
        self.process = subprocess.Popen(
            [VMSPACE, "limit", LIMIT, "--report", self.report, "--",
             f"{self.bin}/postgres", "-D", f"{directory}/data"],
            cwd=directory, stdout=subprocess.DEVNULL,
            stderr=open(os.path.join(directory, "log"), "wb"), **self.owner)
        self._await()

    def _initialise(self):
        made = subprocess.run(
            [f"{self.bin}/initdb", "-A", "trust", "-U", "test", "-N", "-D",
             f"{self.directory}/data"], cwd=self.directory,
            capture_output=True, check=False, **self.owner)
        expect_equal(made.returncode, 0, made.stderr)
        with open(f"{self.directory}/data/postgresql.conf", "a",
                  encoding="ascii") as file:
            file.write("listen_addresses = '127.0.0.1'\n"
                       f"port = {self.port}\nfsync = off\n"
                       "unix_socket_directories = ''\n"
                       "shared_buffers = 32MB\n")

    def _await(self):
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            if self.query("SELECT 1").returncode == 0:
                return
            time.sleep(0.1)
        raise AssertionError(f"the server does not start: {self.log()}")

    def command(self, text):
        return ["psql", "-X", "-A", "-t", "-q", "-h", "127.0.0.1", "-p",
                self.port, "-U", "test", "-d", "postgres", "-c", text]

    def query(self, text):
        return run(self.command(text), cwd="/")

    def log(self):
        with open(os.path.join(self.directory, "log"), "rb") as file:
            return file.read().decode(errors="replace")

    def expect_nobody_was_killed(self):
        expect("terminated by signal" not in self.log(), self.log())

    def stop(self):
        """A fast shutdown, by way of vmspace; its exit status."""
        self.process.send_signal(signal.SIGINT)
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()


def expect_rows(server, count):
    result = server.query("SELECT count(*), sum(length(b)) FROM keep")
    expect_equal(result.stdout.decode().strip(), f"{count}|{count * 100}",
                 result.stderr)


def a_greedy_query_fails_and_nothing_else_does():
    with tempfile.TemporaryDirectory(prefix="vmspace-postgres-") as directory:
        server = Server(directory)
        made = server.query(
            "CREATE TABLE keep(a int PRIMARY KEY, b text); "
            "INSERT INTO keep SELECT i, repeat('x', 100) "
            f"FROM generate_series(1, {ROWS}) i")
        expect_equal(made.returncode, 0, made.stderr)
        other = subprocess.Popen(
            server.command("SELECT pg_sleep(3); SELECT 'alive'"),
            stdout=subprocess.PIPE, cwd="/")
        greedy = server.query(GREEDY)
        expect(greedy.returncode != 0, "the greedy query was answered")
        expect(b"out of memory" in greedy.stderr, greedy.stderr)
        expect_rows(server, ROWS)
        expect_equal(other.communicate(timeout=PATIENCE)[0].split(), [b"alive"])
        added = server.query("INSERT INTO keep VALUES (0, repeat('x', 100))")
        expect_equal(added.returncode, 0, added.stderr)
        expect_rows(server, ROWS + 1)
        expect_equal(server.stop(), 0, server.log())
        server.expect_nobody_was_killed()
        with open(server.report, encoding="utf-8") as file:
            report = json.load(file)
    expect(report["refused"] > 0, report)
    expect(report["peak"] <= report["limit"], report["peak"])
    processes = {one["command"] for one in report["processes"]}
    expect_equal(processes, {"postgres"})


sys.exit(main([a_greedy_query_fails_and_nothing_else_does]))
