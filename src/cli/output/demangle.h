/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_DEMANGLE_H
#define VMSI_CLI_DEMANGLE_H

#include <stddef.h>

/*
 * Returns the name of a function of C++ or Rust as its source has it, malloc's; NULL
 * where the name is no mangled one, or this build cannot tell.
 */
char *vmsi_demangle(const char *name);

/*
 * Returns the lines of a backtrace, "FUNCTION (FILE) at SOURCE:LINE", with the
 * names of functions demangled; malloc's, NULL without memory.
 */
char *vmsi_demangle_backtrace(const char *backtrace);

#endif
