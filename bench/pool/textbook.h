/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_TEXTBOOK_H
#define VMSI_BENCH_TEXTBOOK_H

#include <stddef.h>
#include <stdint.h>

/*
 * A buffer pool as textbooks have it: a hash table from page numbers to frames, a list in
 * order of use, a mutex around both, and pread. It only reads.
 */
struct textbook;

struct textbook *textbook_open(int fd, size_t page_size, size_t ram);
void textbook_close(struct textbook *pool);

/* Where the page is until it is unfixed; NULL: it cannot be read. */
const void *textbook_fix(struct textbook *pool, uint64_t page);
void textbook_unfix(struct textbook *pool, uint64_t page);

#endif
