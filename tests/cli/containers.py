# SPDX-License-Identifier: MIT
"""Containers to run the command in: Docker's seccomp profile for bubblewrap, and
bundles for runc and crun."""

import ctypes
import json
import os
import platform
import shutil

from cli_test import Skip, installed, run, work

MIB = 1 << 20
PROFILE = "/usr/share/containers/seccomp.json"
# The machine as the profile calls it, and what libseccomp calls its ABIs.
ARCHITECTURES = {"x86_64": ("amd64", ("X86_64", "X86", "X32")),
                 "aarch64": ("arm64", ("AARCH64", "ARM"))}


def docker_profile(without=()):
    """Docker's default profile as an OCI runtime takes it, for a container without
    capabilities; calls named in without are refused as well."""
    if not os.path.exists(PROFILE):
        raise Skip(f"there is no {PROFILE}")
    name, abis = ARCHITECTURES[platform.machine()]
    with open(PROFILE) as file:
        profile = json.load(file)

    def applies(rule):
        needed, excluded = rule.get("includes") or {}, rule.get("excludes") or {}
        return not (needed.get("caps") or
                    name not in needed.get("arches", [name]) or
                    name in excluded.get("arches", []))

    rules = []
    for rule in filter(applies, profile["syscalls"]):
        kept = {key: rule[key] for key in ("action", "args", "errnoRet")
                if rule.get(key) not in (None, [])}
        kept["names"] = [call for call in rule["names"] if call not in without]
        if kept["names"]:
            rules.append(kept)
    if without:
        rules.append({"names": list(without), "action": "SCMP_ACT_ERRNO",
                      "errnoRet": 1})
    return {"defaultAction": profile["defaultAction"],
            "defaultErrnoRet": profile["defaultErrnoRet"],
            "architectures": [f"SCMP_ARCH_{abi}" for abi in abis],
            "syscalls": rules}


class Compare(ctypes.Structure):
    """struct scmp_arg_cmp"""
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int),
                ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


OPERATORS = ["", "NE", "LT", "LE", "EQ", "GE", "GT", "MASKED_EQ"]


def compiled_profile(profile):
    """The path of a profile as the kernel takes it, made by libseccomp."""
    try:
        library = ctypes.CDLL("libseccomp.so.2")
    except OSError as error:
        raise Skip(str(error)) from error
    library.seccomp_init.restype = ctypes.c_void_p

    def action(rule, name, error):
        return {"SCMP_ACT_ALLOW": 0x7fff0000,
                "SCMP_ACT_ERRNO": 0x00050000 | rule.get(error, 1)}[rule[name]]

    default = action(profile, "defaultAction", "defaultErrnoRet")
    made = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(default)))
    for rule in profile["syscalls"]:
        compares = [Compare(one["index"],
                            OPERATORS.index(one["op"].removeprefix("SCMP_CMP_")),
                            one["value"], one.get("valueTwo") or 0)
                    for one in rule.get("args", [])]
        does = action(rule, "action", "errnoRet")
        for name in rule["names"]:
            number = library.seccomp_syscall_resolve_name(name.encode())
            # Of another machine; or the rule says what the default does.
            if number < 0 or does == default:
                continue
            error = library.seccomp_rule_add_array(
                made, ctypes.c_uint32(does), number, len(compares),
                (Compare * len(compares))(*compares))
            assert error == 0, (name, error)
    path = work("profile.bpf")
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    assert library.seccomp_export_bpf(made, descriptor) == 0
    os.close(descriptor)
    library.seccomp_release(made)
    return path


def bubblewrap(*options, without=None):
    """
    bwrap with these options, as an ordinary user in namespaces of his own, and with
    Docker's profile where calls are named to be left out of it.
    """
    command = [installed("bwrap"), "--unshare-user", "--unshare-pid", "--uid", "1000",
               "--gid", "1000", "--as-pid-1", "--cap-drop", "ALL", *options]
    if without is not None:
        # bwrap takes a descriptor, which the shell opens.
        path = compiled_profile(docker_profile(without))
        command = ["sh", "-c", 'exec 9<"$0" && exec "$@"', path, command[0],
                   "--seccomp", "9", *command[1:]]
    return command


def root_of(name, vmspace):
    """A root with nothing but the command and busybox, both static."""
    root = work(name)
    for directory in ("bin", "proc", "dev", "sys", "tmp", "etc"):
        os.makedirs(os.path.join(root, directory), exist_ok=True)
    shutil.copy(vmspace, os.path.join(root, "bin/vmspace"))
    shutil.copy(installed("busybox"), os.path.join(root, "bin/busybox"))
    for applet in ("sh", "dd", "sleep", "true", "cat"):
        if not os.path.lexists(os.path.join(root, "bin", applet)):
            os.symlink("busybox", os.path.join(root, "bin", applet))
    return root


def runs_static(root):
    """Whether busybox runs with no library beside it."""
    return run([*bubblewrap("--ro-bind", root, "/"), "/bin/true"]).returncode == 0


class Bundle:
    """A container of runc or crun as Kubernetes' restricted ones are: Docker's
    profile, an ordinary user, no capabilities, no new ones, a root to be read."""

    def __init__(self, runtime, vmspace, memory=100 * MIB):
        self.runtime = installed(runtime)
        self.name = f"{os.path.basename(work('')[:-1])}-{runtime}"
        self.directory = work(f"bundle-{runtime}")
        os.makedirs(self.directory, exist_ok=True)
        root = root_of(f"bundle-{runtime}/rootfs", vmspace)
        if not os.path.exists(self._config()):
            result = run([self.runtime, "spec"], cwd=self.directory)
            if result.returncode != 0:
                raise Skip(f"{runtime} spec: {result.stderr.decode()}")
        with open(self._config()) as file:
            config = json.load(file)
        config["root"] = {"path": root, "readonly": True}
        config["linux"]["seccomp"] = docker_profile()
        if memory:
            config["linux"].setdefault("resources", {})["memory"] = {
                "limit": memory}
        config["process"].update(terminal=False, noNewPrivileges=True,
                                 capabilities={},
                                 user={"uid": 1000, "gid": 1000})
        self.config = config
        self.command("/bin/true")
        probe = run(self.run_command())
        if probe.returncode != 0:
            raise Skip(f"{runtime} runs no container here: "
                       f"{probe.stderr.decode().strip()}")

    def _config(self):
        return os.path.join(self.directory, "config.json")

    def command(self, *arguments):
        """What the container runs from now on."""
        self.config["process"]["args"] = list(arguments)
        with open(self._config(), "w") as file:
            json.dump(self.config, file)

    def run_command(self):
        return [self.runtime, "run", "--bundle", self.directory, "--pid-file",
                work("pid"), self.name]

    def memory_file(self):
        """The file with the limit of the container that runs, for whoever runs it."""
        with open(work("pid")) as file:
            pid = file.read()
        with open(f"/proc/{pid}/cgroup") as file:
            lines = [line.rstrip("\n").split(":", 2) for line in file]
        for _, controllers, path in lines:
            if "memory" in controllers.split(","):
                return f"/sys/fs/cgroup/memory{path}/memory.limit_in_bytes"
        return f"/sys/fs/cgroup{lines[-1][2]}/memory.max"


# The control groups of version 2 take the place of all others.
VERSION_2_ALONE = """
umount --recursive --lazy /sys/fs/cgroup
mount -t cgroup2 none /sys/fs/cgroup && exec "$0" "$@"
"""


class Version2Bundle(Bundle):
    """One that sees control groups of version 2 alone, and is put into none: crun
    takes no machine that has both versions."""

    def __init__(self, runtime, vmspace):
        super().__init__(runtime, vmspace, memory=None)

    def run_command(self):
        command = super().run_command()
        return [installed("unshare"), "-m", "--propagation=private", "sh", "-c",
                VERSION_2_ALONE, command[0], "--cgroup-manager=disabled",
                *command[1:]]
