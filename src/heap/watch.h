/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_WATCH_H
#define VMSI_HEAP_WATCH_H

/*
 * Register the handlers of fork of heaps, spaces and budgets, as far as that was
 * not done: those of heaps last.
 */
void vmsi_heap_handle_fork(void);

#endif
