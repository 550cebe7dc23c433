/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_SUPERVISE_THREADS_H
#define VMSI_CLI_SUPERVISE_THREADS_H

/*
 * See to it that this process can start threads. A seccomp profile that knows no clone3(2),
 * as Docker's before 20.10.10, answers EPERM to it. The C library takes that for final; on
 * ENOSYS it makes threads as it did before there was clone3. So where a probe meets EPERM
 * a filter of this process, and of those that it forks, answers ENOSYS.
 *
 * Where no filter can be added nothing changes, and threads cannot be started.
 */
void vmsi_threads_allow(void);

#endif
