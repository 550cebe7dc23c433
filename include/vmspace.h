/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_H
#define VMSPACE_H

/*
 * libvmspace: a virtual-memory system that a program owns.
 *
 * This is the umbrella header; each header it includes is the contract of one
 * part of the library.
 */

#include <vmspace/budget.h>
#include <vmspace/buffer.h>
#include <vmspace/code.h>
#include <vmspace/file.h>
#include <vmspace/handle.h>
#include <vmspace/heap.h>
#include <vmspace/list.h>
#include <vmspace/mapping.h>
#include <vmspace/offset.h>
#include <vmspace/process.h>
#include <vmspace/pool.h>
#include <vmspace/pool_area.h>
#include <vmspace/pool_plain.h>
#include <vmspace/pool_size.h>
#include <vmspace/pool_snapshot.h>
#include <vmspace/pool_stats.h>
#include <vmspace/pool_view.h>
#include <vmspace/ring.h>
#include <vmspace/share.h>
#include <vmspace/share_lock.h>
#include <vmspace/space.h>
#include <vmspace/stacks.h>
#include <vmspace/stat.h>
#include <vmspace/vec.h>

#endif
