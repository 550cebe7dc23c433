# SPDX-License-Identifier: MIT
"""Running 'vmspace heap', with an environment of its own."""

import os
import sys

from cli_test import expect, expect_equal, run

VMSPACE, LIBRARY, BLOCKS, MAN = map(os.path.abspath, sys.argv[1:5])


def run_heap(*arguments, **options):
    environment = {name: value for name, value in os.environ.items()
                   if not name.startswith(("VMSPACE_", "LD_"))}
    environment.update(options.pop("env", {}))
    return run([VMSPACE, "heap", *arguments], env=environment,
               **options)


def expect_refused(status, text, *arguments, **options):
    result = run_heap(*arguments, **options)
    expect_equal(result.returncode, status, (arguments, result.stderr))
    expect_equal(result.stdout, b"", arguments)
    expect(text in result.stderr.decode(), text, "not in", result.stderr)
    return result


def expect_run(*arguments, **options):
    result = run_heap(*arguments, **options)
    expect_equal(result.returncode, 0, (arguments, result.stderr))
    return result


PLAIN = "#include <stdlib.h>\nint main(void) { free(malloc(1 << 20)); }\n"
