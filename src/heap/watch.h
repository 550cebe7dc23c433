/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_WATCH_H
#define VMSI_HEAP_WATCH_H

/*
 * Register the fork(2) handlers of budgets, of spaces and then of heaps, unless
 * that was done. The preload library does so in its first call.
 */
void vmsi_heap_handle_fork(void);

#endif
