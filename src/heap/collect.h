/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HEAP_COLLECT_H
#define VMSI_HEAP_COLLECT_H

#include <stddef.h>
#include <stdint.h>

struct vms_heap;

/* When retained memory of slots (retained.h) and of runs (run.h) goes back. */

/* Look at ages, unless that was done just now; now is vmsi_heap_now(). */
void vmsi_heap_age(struct vms_heap *heap, uint64_t now);

/* Give back all that is retained. Returns the bytes. */
size_t vmsi_heap_collect_all(struct vms_heap *heap);

#endif
