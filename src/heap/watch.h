/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_WATCH_H
#define VMSI_HEAP_WATCH_H

/*
 * Register the handlers of fork(2) of budgets, of spaces and then of heaps, unless
 * that was done.
 */
void vmsi_heap_handle_fork(void);

#endif
