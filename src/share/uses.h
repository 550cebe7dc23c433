/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SHARE_USES_H
#define VMSI_SHARE_USES_H

#include <stdint.h>

/*
 * What each process uses of a share, told by locks of open file descriptions, far behind
 * all bytes that a file can have: a byte of the lock for each byte of the share. Who
 * uses it from 0 up to an end holds them shared; who shrinks it holds exclusively what
 * is to go, which nobody else may hold then. The kernel lets go of the locks of a process
 * that ends, however it does, and nobody can write to them.
 *
 *   | used: shared                                 |
 *   0                    size                      used           maximum
 *                        | shrinking to size: exclusive          |
 *
 * Each returns 0 or -errno; -EAGAIN: others hold what excludes it.
 */

/* Use a range of bytes; no longer use it. */
int vmsi_uses_take(int fd, uint64_t from, uint64_t end);
int vmsi_uses_let_go(int fd, uint64_t from, uint64_t end);

/* Exclude all others from a range, whatever this description holds of it. */
int vmsi_uses_exclude(int fd, uint64_t from, uint64_t end);

/* One process at a time finishes what a dead one has left; a lock before the others. */
int vmsi_uses_begin_sweep(int fd);
void vmsi_uses_end_sweep(int fd);

#endif
