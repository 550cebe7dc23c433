# SPDX-License-Identifier: MIT
"""Podman and Docker themselves, each with a store of its own, in which there is one
image: the command and busybox."""

import contextlib
import os
import shutil
import subprocess

from cli_test import PATIENCE, Skip, expect_equal, installed, run, wait_for, work
from containers import root_of

# As docs/containers.md has them. Nothing is known of the network of the machine.
RESTRICTED = ["--read-only", "--user=1000:1000", "--cap-drop=ALL",
              "--security-opt=no-new-privileges", "--network=none"]


def in_mounts_of_its_own(*arguments):
    """What an engine mounts goes with it."""
    command = [installed("unshare"), "-m", "--propagation=private", *arguments]
    if run([*command[:3], "true"]).returncode != 0:
        raise Skip("unshare -m is refused")
    return command


class Engine:
    """Used as a context, in which the image is there."""

    def __init__(self, name, vmspace):
        self.name = f"{os.path.basename(work('')[:-1])}-{name}"
        self.command = []
        self.options = []
        self.root = root_of("image", vmspace)

    def import_image(self):
        archive = work("image.tar")
        expect_equal(run(["tar", "-C", self.root, "-cf", archive, "."]).returncode, 0)
        result = run([*self.command, "import", archive, self.name])
        if result.returncode != 0:
            raise Skip(f"{self.command[0]} imports no image here: "
                       f"{result.stderr.decode().strip()}")
        result = self.run("--rm", command=["/bin/true"])
        if result.returncode != 0:
            raise Skip(f"{self.command[0]} runs no container here: "
                       f"{result.stderr.decode().strip()}")

    def run(self, *options, command):
        return run([*self.command, "run", *RESTRICTED, *self.options, *options,
                    self.name, *command])

    def ask(self, *arguments):
        return run([*self.command, *arguments])

    def __exit__(self, *_):
        self.ask("rm", "--force", f"{self.name}-1")


class Podman(Engine):
    def __init__(self, vmspace):
        super().__init__("podman", vmspace)
        # What the engine may set the limits of processes to differs by machine.
        self.options = ["--runtime=runc", "--ulimit=nofile=1024:1024",
                        "--ulimit=nproc=1024:1024"]
        installed("runc")
        self.command = [installed("podman"), f"--root={work('podman')}",
                        f"--runroot={work('podman-run')}", "--storage-driver=vfs",
                        "--cgroup-manager=cgroupfs", "--log-level=error"]

    def __enter__(self):
        self.import_image()
        return self

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        for name in ("podman", "podman-run"):
            run(["umount", "--recursive", "--lazy", work(name)])
            shutil.rmtree(work(name), ignore_errors=True)


class Docker(Engine):
    def __init__(self, vmspace):
        super().__init__("docker", vmspace)
        self.socket = work("docker.sock")
        self.command = [installed("docker"), "-H", f"unix://{self.socket}"]
        self.log = open(work("dockerd.log"), "w+b")
        self.daemon = subprocess.Popen(
            in_mounts_of_its_own(
                installed("dockerd"), "--iptables=false", "--ip6tables=false",
                "--bridge=none", "--storage-driver=vfs",
                f"--data-root={work('docker')}", f"--exec-root={work('docker-run')}",
                f"--pidfile={work('docker.pid')}", "-H", f"unix://{self.socket}"),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=self.log, start_new_session=True)

    def __enter__(self):
        try:
            # One that cannot serve has ended.
            wait_for(lambda: self.daemon.poll() is not None or
                     (os.path.exists(self.socket) and
                      self.ask("version").returncode == 0), "it serves")
            if self.daemon.poll() is not None:
                self.log.seek(0)
                told = self.log.read().decode().strip().splitlines()
                raise Skip("dockerd does not serve here: " + "".join(told[-1:]))
            self.import_image()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(self, *arguments):
        super().__exit__(*arguments)
        self.end()

    def end(self):
        with contextlib.suppress(ProcessLookupError):
            self.daemon.terminate()
        self.daemon.wait(PATIENCE)
        self.log.close()
