/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_GROUP_ASKER_MAPS_H
#define VMSI_TESTS_GROUP_ASKER_MAPS_H

#include <stddef.h>

/*
 * The steps of the program asker that map, change and unmap memory of its own.
 * Each returns 0 or an errno.
 */
int do_mmap(size_t bytes);
int do_none(size_t bytes);
int do_noreserve(size_t bytes);
int do_shared(size_t bytes);
int do_shared_noreserve(size_t bytes);
int do_zero(size_t bytes);
int do_zero_read(size_t bytes);
int do_zero_read_only(size_t bytes);
int do_zero_named(size_t bytes);
int do_memfd_read(size_t bytes);
int do_tmpfs(size_t bytes);
int do_touch(size_t bytes);
int do_keep(size_t bytes);
int do_again(size_t bytes);
int do_unmap(size_t bytes);
int do_mprotect(size_t bytes);
int do_writable(size_t bytes);
int do_grows_down(size_t bytes);
int do_noreserve_writable(size_t bytes);
int do_huge(size_t bytes);
int do_huge_writable(size_t bytes);
int do_mremap(size_t bytes);
int do_shrink(size_t bytes);
int do_stack(size_t bytes);
int do_brk(size_t bytes);
int do_brk_back(size_t bytes);
int do_brk_refused(size_t bytes);
int do_shmget(size_t bytes);
int do_segment(size_t bytes);
int do_fill(size_t bytes);

#endif
