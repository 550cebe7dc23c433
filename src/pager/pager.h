/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PAGER_PAGER_H
#define VMSI_PAGER_PAGER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/align.h"

/*
 * A range of addresses whose memory comes by faults: whoever touches what is not there
 * waits until its owner has brought it, and then goes on as if it had been there. Stores
 * to what is there can be made to fault, too. The owner says by resolve what a fault is
 * answered with, and brings and takes memory by the calls below, whoever asks for it.
 *
 * Of three engines the first that the host lets the process have is in force:
 *
 *   SIGNAL   userfaultfd(2) makes a fault a SIGBUS, in the handler of which the faulting
 *            thread resolves it itself. Needs no privilege.
 *   SERVER   a thread reads the faults from a userfaultfd and resolves them one by one.
 *            System calls into the range work, where the process may have a userfaultfd
 *            for those (is_for_kernel).
 *   PROTECT  the range is a mapping of a memfd without rights; the fault is a SIGSEGV,
 *            and mprotect(2) gives the rights. Needs up to two of the process's mappings
 *            for each piece of memory that is there.
 *
 * Nothing here takes a lock or memory from malloc, but opening. The owner sees to it that
 * no two threads bring, take or protect the same memory at a time.
 */

enum vmsi_pager_engine { VMSI_PAGER_SIGNAL = 1, VMSI_PAGER_SERVER, VMSI_PAGER_PROTECT };

enum vmsi_access {
	VMSI_ACCESS_LOAD,
	VMSI_ACCESS_STORE,
	VMSI_ACCESS_UNKNOWN,     /* the processor does not say */
};

/* Whether a store to memory that is brought faults. */
enum vmsi_stores { VMSI_STORES_FAULT, VMSI_STORES_WORK };

/*
 * Answer a fault: called in the faulting thread with all signals blocked, or in that of
 * the engine SERVER. It must touch none of the range that may fault, and may be called for
 * what has come meanwhile. Returns 0: the access is made again; -errno: it cannot be, and
 * the thread gets a SIGBUS with BUS_ADRERR and the address, as from mmap(2). -EACCES: a
 * SIGSEGV with SEGV_ACCERR.
 */
typedef int (*vmsi_pager_resolve)(void *context, uintptr_t address,
				  enum vmsi_access access);

struct vmsi_pager_entry;

struct vmsi_pager {
	struct vmsi_range range;
	vmsi_pager_resolve resolve;
	void *context;
	bool has_poison;         /* SERVER: the host can answer for memory that cannot come */
	bool is_for_kernel;
	enum vmsi_pager_engine engine;
	int problem;             /* why no better engine is in force: -errno; 0: none */
	int fd;                  /* of userfaultfd(2); PROTECT: of the memfd */
	int bell;                /* SERVER: an eventfd, by which it is woken to end */
	pthread_t server;
	bool has_server;
	_Atomic bool server_ends;
	struct vmsi_pager_entry *entry; /* for handlers of signals */
};

/* What is asked for at open. */
#define VMSI_PAGER_SERVED 0x1u     /* not by SIGNAL: SERVER, else PROTECT */

/*
 * Open a pager for a range that is mapped private and anonymous, with the rights that its
 * memory is to have. Where the engine is PROTECT afterwards, the owner maps pager->fd there
 * before anything else, shared and without rights; it is as long as the range. resolve may
 * be called as soon as something touches the range. Returns 0 or -errno: ENOMEM, EMFILE,
 * ENFILE, or that of the last engine that was tried.
 */
int vmsi_pager_open(struct vmsi_pager *pager, struct vmsi_range range, unsigned flags,
		    vmsi_pager_resolve resolve, void *context);

/* Close it: nobody touches the range any more, and what it has is not to be relied on. */
void vmsi_pager_close(struct vmsi_pager *pager);

/*
 * In the child of a fork, by the handler of its owner: the range is the parent's. Only
 * vmsi_pager_close may follow.
 */
void vmsi_pager_forked(struct vmsi_pager *pager);

/* --- memory -------------------------------------------------------------------------- */

/*
 * Put bytes where nothing is. Nobody sees a part of a host page. Returns 0; -errno and
 * nothing is there.
 */
int vmsi_pager_bring(const struct vmsi_pager *pager, uintptr_t address, const char *bytes,
		     size_t length, enum vmsi_stores stores);

/* Let stores to what is there work, or fault again. Returns 0 or -errno. */
int vmsi_pager_set_stores(const struct vmsi_pager *pager, struct vmsi_range range,
			  enum vmsi_stores stores);

/*
 * Take away what is there, or nothing. Returns 0; -errno and it is there as before: or, of
 * several host pages, some of it may be.
 */
int vmsi_pager_take(const struct vmsi_pager *pager, struct vmsi_range range);

/*
 * Whether one call of the host, process_madvise(2) with MADV_DONTNEED, takes memory of
 * several ranges away.
 */
static inline bool vmsi_pager_takes_many(const struct vmsi_pager *pager)
{
	return pager->engine != VMSI_PAGER_PROTECT;
}

#endif
