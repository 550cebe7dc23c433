/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_FORK_H
#define VMSI_PRELOAD_HEAP_FORK_H

#pragma GCC visibility push(hidden)

/* Register the handlers of pthread_atfork, the first time. */
void vmsi_interposer_watch_fork(void);

#pragma GCC visibility pop

#endif
