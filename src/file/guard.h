/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FILE_GUARD_H
#define VMSI_FILE_GUARD_H

/*
 * The handler of SIGBUS. It is installed once, when the first file is opened, and
 * stays; signals that are not the library's go to the handler that was there.
 * Returns 0 or -errno.
 */
int vmsi_guard_install(void);

/*
 * In debug builds: end the program where another handler of SIGBUS has taken the
 * place of this one.
 */
#ifdef VMSI_DEBUG
void vmsi_guard_check(void);
#else
static inline void vmsi_guard_check(void)
{
}
#endif

#endif
