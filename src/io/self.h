/* SPDX-License-Identifier: MIT */
#ifndef VMSI_IO_SELF_H
#define VMSI_IO_SELF_H

#include <stdint.h>

/*
 * What no other thread that is there has: not 0. The kernel interrupts the thread that has
 * submitted a request when that ends, and so a request is submitted by its own thread,
 * which waits for it, or by one of the room.
 */
uintptr_t vmsi_io_self(void);

#endif
