# SPDX-License-Identifier: MIT
"""The programs that 'vmspace heap' does not run, and the libraries.

usage: test_heap_refused.py VMSPACE LIBRARY BLOCKS MAN_DIRECTORY
"""

import os
import shutil
import struct
import sys

from cli_test import (Skip, WORK, compiled, expect, expect_equal, main, run,
                      work)
from heap_command import (LIBRARY, PLAIN, VMSPACE, expect_refused, expect_run,
                          run_heap)

NOBODY = 65534


def static_programs_are_refused():
    for option in ("-static", "-static-pie"):
        program = compiled(work("program" + option), PLAIN, option)
        expect_equal(run([program]).returncode, 0)
        expect_refused(126, "linked statically", program)


def programs_with_a_sanitizer_are_refused():
    found = 0
    for compiler in ("gcc", "clang"):
        for kind, name in (("address", "AddressSanitizer"),
                           ("thread", "ThreadSanitizer"),
                           ("leak", "LeakSanitizer"),
                           ("memory", "MemorySanitizer")):
            try:
                program = compiled(work(f"{compiler}-{kind}"), PLAIN,
                                   f"-fsanitize={kind}", compiler=compiler)
            except Skip:
                continue
            expect_refused(126, name, program)
            found += 1
    if not found:
        raise Skip("there is no compiler with sanitizers")
    expect_run(compiled(work("undefined"), PLAIN,
                        "-fsanitize=undefined"))


def program_with_its_own_malloc_is_refused():
    source = """
        #include <stddef.h>
        static char memory[1 << 20];
        static size_t taken;
        void *malloc(size_t size)
        {
            taken += (size + 15) & ~(size_t)15;
            return memory + taken - ((size + 15) & ~(size_t)15);
        }
        void free(void *block) { (void)block; }
        int main(void) { return 0; }
    """
    options = ("-fno-builtin", "-rdynamic")
    expect_refused(126, "defines malloc",
                   compiled(work("own-malloc"), source, *options))
    # A program that takes the address of libc's malloc names it as well.
    expect_run(compiled(work("address"), """
        #include <stdlib.h>
        void *(*volatile function)(size_t) = malloc;
        int main(void) { return !function; }
    """, "-no-pie", "-fno-pie"))


def damaged(name, offset, data, length=None):
    """A copy of a program of the system with other bytes."""
    with open(shutil.which("true"), "rb") as file:
        content = bytearray(file.read())
    content[offset:offset + len(data)] = data
    with open(work(name), "wb") as file:
        file.write(content[:length])
    os.chmod(work(name), 0o755)
    return work(name)


def programs_for_other_machines_are_refused():
    expect_refused(126, "another machine",
                   damaged("sparc", 18, struct.pack("=H", 2)))
    header = bytes.fromhex("7f454c460101010000000000000000000200030001000000")
    expect_refused(126, "",
                   damaged("i386", 0, header + bytes(28), length=52))


def damaged_programs_are_refused():
    expect_refused(126, "", damaged("short", 0, b"", length=70))
    # A table of segments that lies outside the file.
    expect_refused(126, "", damaged("far", 32, b"\xff" * 8))
    # Every byte of the header, one after the other: no crash.
    for offset in range(4, 64):
        result = run_heap(damaged("byte", offset, b"\xff"))
        expect(result.returncode >= 0 or offset >= 16, offset, result)


def rights(path, mode, user=-1, group=-1):
    if os.geteuid() != 0:
        raise Skip("only root can give a program rights of another user")
    if os.statvfs(WORK.name).f_flag & os.ST_NOSUID:
        raise Skip(f"{WORK.name} is mounted nosuid")
    shutil.copy(shutil.which("true"), path)
    os.chown(path, user, group)
    os.chmod(path, mode)
    return path


def programs_with_rights_are_refused():
    expect_refused(126, "set-user-ID",
                   rights(work("suid"), 0o4755, user=NOBODY))
    expect_refused(126, "set-group-ID",
                   rights(work("sgid"), 0o2755, group=NOBODY))
    # These give no rights that the caller does not have.
    expect_run(rights(work("suid-own"), 0o4755, user=os.geteuid()))
    expect_run(rights(work("sgid-lock"), 0o2745, group=NOBODY))
    no_rights = shutil.which("setpriv")
    if no_rights:
        result = run([no_rights, "--no-new-privs", VMSPACE, "heap",
                      work("suid")])
        expect_equal(result.returncode, 0, result.stderr)


def program_with_capabilities_is_refused():
    program = rights(work("capable"), 0o755)
    # VFS_CAP_REVISION_2, effective: CAP_NET_RAW.
    try:
        os.setxattr(program, "security.capability",
                    struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))
    except OSError:
        raise Skip("the file system keeps no capabilities")
    os.chmod(WORK.name, 0o755)
    as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    if run(["test", "-x", VMSPACE], **as_nobody).returncode:
        raise Skip("the command is in a directory that others cannot enter")
    expect_refused(126, "capabilities", program, **as_nobody)
    # root has them anyway.
    expect_run(program)


def program_that_cannot_be_read_is_refused():
    if os.geteuid() != 0:
        raise Skip("only root can make what others cannot read")
    program = rights(work("unreadable"), 0o711)
    os.chmod(WORK.name, 0o755)
    as_nobody = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    if run(["test", "-x", VMSPACE], **as_nobody).returncode:
        raise Skip("the command is in a directory that others cannot enter")
    expect_refused(126, "cannot be read", program, **as_nobody)


def library_directory(name, content=None):
    path = work(name)
    os.makedirs(path, exist_ok=True)
    target = os.path.join(path, "libvmspace-heap.so")
    if content is None:
        shutil.copy(LIBRARY, target)
    else:
        with open(target, "wb") as file:
            file.write(content)
    return {"VMSPACE_LIBDIR": path}


def library_that_is_not_there_is_125():
    for directory in ("/nowhere", WORK.name):
        result = expect_refused(125, "is not there", "true",
                                env={"VMSPACE_LIBDIR": directory})
        expect(directory.encode() in result.stderr, result.stderr)


def library_that_is_damaged_is_125():
    with open(LIBRARY, "rb") as file:
        content = file.read()
    expect_run("true", env=library_directory("whole", content))
    expect_refused(125, "no library", "true",
                   env=library_directory("words", b"text\n"))
    expect_refused(125, "no library", "true",
                   env=library_directory("none", b""))
    expect_refused(125, "", "true",
                   env=library_directory("cut", content[:5000]))
    with open(shutil.which("true"), "rb") as file:
        expect_refused(125, "does not load", "true",
                       env=library_directory("a-program", file.read()))


def library_that_the_loader_refuses_is_125():
    compiled(work("libgone.so"), "int gone;\n", "-shared")
    os.makedirs(work("needy"), exist_ok=True)
    compiled(work("needy/libvmspace-heap.so"), "int here;\n", "-shared",
             "-Wl,--no-as-needed", f"-L{WORK.name}", "-l:libgone.so")
    os.unlink(work("libgone.so"))
    expect_refused(125, "does not load", "true",
                   env={"VMSPACE_LIBDIR": work("needy")})


def path_that_the_loader_would_split_is_125():
    for name in ("a space", "a:colon", "a$dollar"):
        expect_refused(125, "cannot take it", "true",
                       env=library_directory(name))
    os.symlink(work("whole"), work("a link"))
    expect_run("true", env={"VMSPACE_LIBDIR": work("a link")})


def library_that_cannot_be_found_without_proc_says_so():
    libraries = ":".join(os.path.dirname(os.path.dirname(VMSPACE)) + part
                         for part in ("", "/group"))
    # As an ordinary loader it would find them by /proc, too.
    result = run(["unshare", "-m", "sh", "-c", 'umount -l /proc || exit 99; '
                  'exec "$@"', "sh", VMSPACE, "heap", "true"],
                 env={**os.environ, "LD_LIBRARY_PATH": libraries})
    if result.returncode in (1, 99):
        raise Skip("/proc cannot be unmounted:", result.stderr.decode())
    expect_equal(result.returncode, 125, result.stderr)
    expect(b"where /proc is not mounted" in result.stderr, result.stderr)


CASES = [
    library_that_cannot_be_found_without_proc_says_so,
    static_programs_are_refused,
    programs_with_a_sanitizer_are_refused,
    program_with_its_own_malloc_is_refused,
    programs_for_other_machines_are_refused,
    damaged_programs_are_refused,
    programs_with_rights_are_refused,
    program_with_capabilities_is_refused,
    program_that_cannot_be_read_is_refused,
    library_that_is_not_there_is_125,
    library_that_is_damaged_is_125,
    library_that_the_loader_refuses_is_125,
    path_that_the_loader_would_split_is_125,
]

sys.exit(main(CASES))
