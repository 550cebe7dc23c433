/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_PLAIN_WORLD_H
#define VMSI_TESTS_PLAIN_WORLD_H

#include "pool/pool.h"
#include "pool_turns.h"

/* What plain_explorer.c has threads do with one page that plain pointers store to. */

/* Pages of the host, in one of the pool. */
#define PARTS 2

struct part {
	uint64_t is_there, is_protected;
	uint64_t plain;         /* is stored to by plain pointers */
	uint64_t fixed;         /* is changed under a fix, in all parts together */
};

struct plain_world {
	struct turns turns;
	uint64_t word;
	uint64_t write_lock;
	struct part parts[PARTS];
	struct part file[PARTS];
	uint64_t stored[PARTS]; /* the last value of each */
	uint64_t changed;       /* the same of what is changed under a fix */
};

/* What the page is in the beginning of a run. */
extern enum plain_start { ABSENT, PROTECTED, WRITABLE } plain_start;

extern struct plain_world plain;
extern struct vms_pool plain_pool;

/* Faults that must be found: plain_explorer.c. */
enum plain_fault {
	NONE, NO_WAKE, UNPROTECTED, NOT_DIRTY, DIRTY_LATE, NO_TURN, COMES_CLEAN,
	LEAVES_WHILE_WRITTEN, ABORTS_CLEAN, ABORTS_WRITABLE, FAILS_CLEAN,
};

/* What fails of a thread. */
enum { MEMORY_FAILS = 1, DISK_FAILS };

/* Operations of a thread. */
void store(struct thread *thread);
void store_unknown(struct thread *thread);   /* the processor does not say what it is */
void store_if_it_works(struct thread *thread); /* one try, without a fault */
void load(struct thread *thread);
void change_fixed(struct thread *thread);
void evict(struct thread *thread);
void evict_in_part(struct thread *thread);   /* the host drops the first part only */
void write_back(struct thread *thread);
void flush(struct thread *thread);

void plain_reset(void);
bool plain_check(void);

#endif
