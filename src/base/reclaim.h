/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_RECLAIM_H
#define VMSI_BASE_RECLAIM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/lock.h"

/*
 * Heaps retain freed memory for their next blocks. Before a space, a budget or
 * a heap refuses a request for want of memory, it has heaps give that memory
 * back. src/space and src/budget may not include src/heap, so they call a
 * function that src/heap registers here.
 */

struct vms_budget;

/*
 * Give back what heaps retain of memory that is charged to this budget or to
 * one below it; NULL: what all heaps retain. Returns the bytes. Called under
 * vmsi_reclaim_lock.
 */
typedef size_t vmsi_reclaimer(const struct vms_budget *budget);

/* Set the one reclaimer of the process. */
void vmsi_reclaim_register(vmsi_reclaimer *reclaimer);

/* How often memory has been given back so: the since of a later vmsi_reclaim. */
unsigned vmsi_reclaim_moment(void);

/*
 * Have memory given back after a request was refused. The caller holds no lock;
 * since is the moment just before it made the request. Returns whether to make
 * the request again: memory has been given back since then, by this thread or
 * by another that was refused at the same time. errno stays as it is.
 */
bool vmsi_reclaim(const struct vms_budget *budget, unsigned since);

/*
 * Between these two, vmsi_reclaim answers false to this thread, which holds a
 * lock or is giving memory back itself. They nest.
 */
void vmsi_reclaim_forbid(void);
void vmsi_reclaim_allow(void);

/*
 * Held by the thread that gives memory back. A thread that is refused meanwhile
 * waits for it: it would find nothing retained, and nothing free yet either. No
 * other lock of the library may be held when it is taken.
 */
extern struct vmsi_lock vmsi_reclaim_lock;

#endif
