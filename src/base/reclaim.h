/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_RECLAIM_H
#define VMSI_BASE_RECLAIM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/lock.h"

/*
 * Heaps keep freed memory for their next blocks. Whoever refuses a request for
 * want of memory (a space, a budget, a heap) asks for that memory first. The
 * rooms that refuse lie below the heap's, so they reach it by a function that
 * the heap room registers here.
 */

struct vms_budget;

/*
 * Give back what is kept: of memory that is charged to a budget or to one below
 * it; NULL: of all. Returns the bytes. Called under vmsi_reclaim_lock.
 */
typedef size_t vmsi_reclaimer(const struct vms_budget *budget);

/* The one reclaimer of the process. */
void vmsi_reclaim_register(vmsi_reclaimer *reclaimer);

/* A point in time, which counts how often memory has been given back so. */
unsigned vmsi_reclaim_moment(void);

/*
 * After a request was refused, with no lock held: ask for memory. since is the
 * moment just before the request was made. Returns whether to make it again:
 * something has been given back since then, by this thread or by another one
 * that was refused at the same time. errno stays as it is.
 */
bool vmsi_reclaim(const struct vms_budget *budget, unsigned since);

/*
 * Between these two, calls of vmsi_reclaim by this thread answer false: it holds
 * a lock, or gives memory back itself. They nest.
 */
void vmsi_reclaim_forbid(void);
void vmsi_reclaim_allow(void);

/*
 * Held by the thread that gives memory back. Others that are refused meanwhile
 * wait for it, or they would find nothing left while the memory is on its way.
 * It is taken before every other lock of the library.
 */
extern struct vmsi_lock vmsi_reclaim_lock;

#endif
