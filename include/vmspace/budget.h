/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_BUDGET_H
#define VMSPACE_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Budgets: one commit limit for several spaces, or for several processes.
 *
 * Caveats first.
 *
 * - A budget counts what is charged to it, by spaces that name it in their
 *   options and by vms_budget_charge. Memory that comes from elsewhere (malloc,
 *   the host's mmap) it does not see.
 * - As with spaces, the policy of a zeroed struct is VMS_COMMIT_HEURISTIC,
 *   which does not limit the sum. VMS_COMMIT_STRICT does.
 * - Three charges cannot be refused and may pass the limit: the growth of a
 *   MAP_GROWSDOWN mapping, the growth by mremap of a mapping of a file in memory,
 *   and fork, for a budget that processes share.
 * - Every call is safe from several threads at once; none is safe from a signal
 *   handler.
 *
 * A budget with a parent: a charge must fit at every level or it is made at
 * none.
 *
 * Shared objects: one object, one charge, by whoever holds it. Shared anonymous
 * memory (MAP_SHARED | MAP_ANONYMOUS) and files in memory (memfd_create(2),
 * tmpfs) that are mapped MAP_SHARED in a space are held by the budget of the
 * space and all above it. Each of these is charged the object once, all of it,
 * however many mappings, spaces, budgets below and processes hold which parts of
 * it; the charge comes back with the last mapping of the last of them. So what
 * is charged to a parent can be less than the sum of its children.
 * - Linux charges a file in memory page by page when it is touched, which nobody
 *   could refuse then. A budget is charged the size that the file has when it is
 *   mapped, and more when it is mapped again and has grown; a mapping of it that
 *   grows by mremap is charged up to its end, which is not refused. ftruncate(2)
 *   alone is not noticed, nor is that a file was made shorter. The space's own
 *   commit limit, as Linux's, is charged nothing for files.
 * - Not charged so: mappings with MAP_NORESERVE where that is honoured, those of a space
 *   with VMS_SPACE_FILES_UNCHARGED (files only), huge pages, MAP_PRIVATE.
 * - A process has places for 128 objects in a shared budget. What it holds beyond
 *   is charged as if no other process held it: more than is right, never less.
 *
 * fork(2): the child has its own copy of a budget that is not shared, with all
 * that is charged to it. A shared budget stays one: what the parent process has
 * charged to it, by its spaces and by vms_budget_charge, is charged again for
 * the child from the first instant, but for shared objects, which the two hold
 * together; also past the limit, since nothing can refuse a fork from here.
 * execve(2) gives back what the process had charged to it; vfork(2) and
 * posix_spawn(3) charge nothing. A child of a raw clone(2) is charged at its
 * first call on the budget or on a space of it.
 *
 * Shared budgets. The account is in memory that all processes with the
 * descriptor can write.
 * - A process that ends, however it does, has its charge given back. This is
 *   looked at when something would be refused and when figures are asked for.
 * - Processes trust each other to keep to the limit. One that writes there what
 *   it likes can make the others be refused, or be granted what passes the
 *   limit, or see wrong figures, and can delay each of their charges by 0.2
 *   seconds; it cannot crash them or make them hang, and it cannot reach
 *   anything else of theirs.
 * - A refusal is only given if twice in a row the sum was found too large, or if
 *   a process that is stopped in the midst of a charge would leave too little.
 * - Each handle keeps two descriptors of the process (close-on-exec). A program
 *   that closes descriptors that it did not open, and does not exec, takes
 *   itself out of the account.
 */

typedef struct vms_budget vms_budget;

/* Options of a budget; zero in a field means its default. */
struct vms_budget_options {
	/* sizeof(struct vms_budget_options); lets the struct grow. */
	size_t struct_size;
	/*
	 * A name for listings, given back by vms_budget_name; copied, at most
	 * VMS_NAME_MAX bytes. NULL: no name.
	 */
	const char *name;
	/* Bytes. 0: the RAM plus swap of the machine, now. */
	size_t limit;
	/*
	 * What is compared with the limit: the sum (VMS_COMMIT_STRICT), each
	 * request alone (VMS_COMMIT_HEURISTIC), nothing (VMS_COMMIT_ALWAYS).
	 * MAP_NORESERVE is honoured in a space if the policies of the space,
	 * its budget and all parents do; see enum vms_commit_policy.
	 */
	enum vms_commit_policy policy;
	/* What is charged here is charged there too. NULL: no parent. */
	struct vms_budget *parent;
	/* VMS_BUDGET_* bits. */
	unsigned flags;
};

/*
 * Other processes can share the budget by vms_budget_fd. It can have no parent,
 * but be one.
 */
#define VMS_BUDGET_SHARED 0x1u

/*
 * Make a budget.
 *
 * options   NULL for the defaults; read during the call only. The parent must
 *           stay open until the budget is closed.
 *
 * Returns the budget, which the caller owns and gives back by
 * vms_budget_close(); NULL with errno set on failure:
 *   EINVAL  struct_size is too small; an unknown policy or flag; a name that is
 *           too long; VMS_BUDGET_SHARED with a parent.
 *   E2BIG   options that the library does not know are not zero
 *           (vmspace/space.h).
 *   ENOMEM  no memory for it.
 *   EMFILE, ENFILE  shared: no descriptor is free.
 *   ENOENT  shared: /proc is not mounted.
 *   ENOSYS, EACCES  shared: this kernel, or its vm.memfd_noexec, has no memfd.
 * Thread-safe.
 */
vms_budget *vms_budget_open(const struct vms_budget_options *options);

/*
 * Join a budget that another process, or this one, has opened with
 * VMS_BUDGET_SHARED.
 *
 * fd   its descriptor, which stays the caller's; it is not kept.
 *
 * Returns this process's handle of the budget, which the caller owns and gives
 * back by vms_budget_close(); NULL with errno set on failure:
 *   EINVAL  fd is not of a shared budget, or its owner keeps the account by
 *           himself.
 *   EPROTONOSUPPORT  it is of a release with another layout.
 *   EBADF   fd is not open.
 *   EAGAIN  1,024 processes share it already.
 *   EPERM, EACCES  it may not be written.
 *   ENOMEM, EMFILE, ENFILE, ENOENT  as vms_budget_open.
 * Thread-safe.
 */
vms_budget *vms_budget_from_fd(int fd);

/*
 * The descriptor of a shared budget, for vms_budget_from_fd in another process:
 * to be sent there or inherited. It is close-on-exec and the budget's: dup(2)
 * it to keep it.
 *
 * Returns -1 with errno EINVAL where the budget is NULL or not shared.
 * Thread-safe.
 */
int vms_budget_fd(const vms_budget *budget);

/*
 * Give a budget back. What is still charged to it by vms_budget_charge is given
 * back too, to its parents also. A shared budget lives on in the other
 * processes.
 *
 * Returns 0; -1 with errno set on failure, and the budget is as before:
 *   EBUSY   a space or another budget uses it, maybe one that its callback has opened
 *           meanwhile; or its own callback makes the call; or another callback does,
 *           while a thread is in its own.
 *   EINVAL  budget is NULL.
 * No other call on the budget may be running or follow. Where another thread is in its
 * callback, since a request for another budget was refused, that is waited for, but not
 * by a callback: two could wait for each other.
 */
int vms_budget_close(vms_budget *budget);

/*
 * Charge bytes that the program accounts for by itself. They come back by
 * vms_budget_uncharge, or when the budget is closed.
 *
 * Returns 0; -1 with errno set on failure, and nothing was charged:
 *   ENOMEM  it does not fit here or in a parent, whatever the callbacks did; a
 *           shared budget that a forked child could not join (its descriptors,
 *           or the places for processes, are used up).
 *   EINVAL  budget is NULL.
 * Thread-safe.
 */
int vms_budget_charge(vms_budget *budget, size_t bytes);

/*
 * Give back bytes that vms_budget_charge has charged.
 *
 * Returns 0; -1 with errno EINVAL, and nothing was given back, where budget is
 * NULL or fewer bytes are charged so. Thread-safe.
 */
int vms_budget_uncharge(vms_budget *budget, size_t bytes);

/*
 * Change the limit (bytes; 0 means RAM plus swap), of a shared budget for all
 * processes. What is charged stays charged, also above the new limit.
 *
 * Returns 0; -1 with errno EINVAL where budget is NULL. Thread-safe.
 */
int vms_budget_set_limit(vms_budget *budget, size_t limit);

/*
 * Called before a request is refused, after heaps under the budget that refuses
 * have given back what they retain: it may free something, and ask that the
 * request be tried again. A heap that makes the request may use the memory of a
 * block that the callback has freed. Called, too, when a request has passed a soft
 * limit (vms_budget_set_soft_limit).
 *
 * budget    the one that it was set for.
 * bytes     of the request that does not fit; early: by which the soft limit is
 *           passed.
 * attempt   0 for the first time in a request, then 1, ...; VMS_BUDGET_EARLY: the
 *           request was granted.
 * context   as given to vms_budget_set_callback.
 *
 * Returns whether to try again; early that says nothing. After VMS_BUDGET_ATTEMPTS
 * in a request, it is refused without another call.
 *
 * It is called in the thread that made the request, which may be one for another
 * budget, with no lock of the library held, and may make any call of the library but
 * one that closes its budget, or the budget or the space, or uses the buffer, that
 * the request is for. What it requests itself is refused without calling it, or
 * another callback, again. Several threads can be in it at once. It must not end by
 * longjmp, an exception, or the end of its thread.
 */
typedef bool (*vms_budget_callback)(vms_budget *budget, size_t bytes,
				    unsigned attempt, void *context);

#define VMS_BUDGET_ATTEMPTS 8
#define VMS_BUDGET_EARLY (~0u)

/*
 * Set the callback of a budget in this process; NULL takes it away. For a
 * request that a budget refuses, its callback and those of all budgets below it,
 * whichever was to be charged, are asked in turn until one says to try again:
 * first who holds most, where what is charged to a budget below is held there.
 * Budgets that are opened meanwhile are not asked. A request by a space (vms_mmap,
 * ...) or a heap is made again as a whole. What buffers ask for ahead of need is a
 * request, too; what heaps do is not.
 *
 * Returns 0; -1 with errno EINVAL where budget is NULL. Thread-safe; the old
 * callback may still be running in another thread afterwards.
 */
int vms_budget_set_callback(vms_budget *budget, vms_budget_callback callback,
			    void *context);

/*
 * Have callbacks called early, in this process: when a request of it has made what is
 * charged pass this limit (bytes; 0: there is none), the callbacks of the budget and of
 * all below it are called in turn, first who holds most, until it is passed no more, and
 * before the request returns. Nothing is refused by it. They are called once, and again
 * only after less was charged meanwhile. A soft limit that is passed already when it is
 * set is not told; of a shared budget nor is it what other processes charge, but with the
 * next request of this one. A request that passes several is told for the highest.
 *
 * Returns 0; -1 with errno EINVAL where budget is NULL. Thread-safe. The child of a fork
 * has the same soft limits.
 */
int vms_budget_set_soft_limit(vms_budget *budget, size_t limit);

/* Figures of a budget, in bytes unless said otherwise. */
struct vms_budget_stats {
	/* sizeof(struct vms_budget_stats), set by the caller. */
	size_t struct_size;
	size_t limit;
	enum vms_commit_policy policy;
	size_t committed;     /* charged: of a shared budget: by all processes, each object once */
	size_t committed_here; /* by this process */
	size_t committed_peak; /* the most that was ever charged */
	uint64_t refusals;    /* number of requests that were refused here */
	unsigned processes;   /* number of processes that have it open */
	size_t soft_limit;    /* of this process; 0: none */
};

/*
 * Read the figures of a budget.
 *
 * Returns 0; -1 with errno EINVAL for a NULL argument or a struct_size that
 * is too small, E2BIG for one that is too large (vmspace/space.h). Thread-safe.
 */
int vms_budget_get_stats(vms_budget *budget, struct vms_budget_stats *stats);

/*
 * The name of a budget, "" where it has none; lives as long as the budget.
 * Thread-safe; never fails.
 */
const char *vms_budget_name(const vms_budget *budget);

#ifdef __cplusplus
}
#endif

#endif
