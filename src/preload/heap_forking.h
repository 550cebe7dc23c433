/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PRELOAD_HEAP_FORKING_H
#define VMSI_PRELOAD_HEAP_FORKING_H

#include <stdbool.h>

#pragma GCC visibility push(hidden)

/* Whether this thread forks, so that the heap is or may be locked. */
bool vmsi_interposer_is_forking(void);
void vmsi_interposer_set_forking(bool now);

/*
 * While this thread forks: keep a block of the heap that is freed. Afterwards: take
 * one of those blocks; NULL: no more.
 */
void vmsi_interposer_free_later(void *block);
void *vmsi_interposer_take_waiting(void);

#pragma GCC visibility pop

#endif
