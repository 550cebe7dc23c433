/* SPDX-License-Identifier: MIT */
#ifndef VMSI_FAILING_PARTS_H
#define VMSI_FAILING_PARTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "failing/failing.h"

/*
 * The parts of the library know each other by this. All of it may run in a signal
 * handler, in any thread, and in a child of fork or vfork.
 */

#define VMSI_EXPORTED __attribute__((visibility("default")))
#define VMSI_COLD __attribute__((cold, noinline))

#pragma GCC visibility push(hidden)

/* --- next.c: the program's own malloc -------------------------------------------- */

typedef void vmsi_function(void);

struct vmsi_failing_next {
	void *(*malloc)(size_t size);
	void (*free)(void *block);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *block, size_t size);
	void *(*reallocarray)(void *block, size_t count, size_t size);
	void *(*aligned_alloc)(size_t alignment, size_t size);
	int (*posix_memalign)(void **result, size_t alignment, size_t size);
	void *(*memalign)(size_t alignment, size_t size);
	void *(*valloc)(size_t size);
	void *(*pvalloc)(size_t size);
	size_t (*malloc_usable_size)(void *block);
};

/*
 * The next definitions, looked up by the first call; NULL while this thread looks
 * them up: then there is early memory.
 */
const struct vmsi_failing_next *vmsi_failing_next(void);

/* The next definition of any function; NULL: there is none. */
vmsi_function *vmsi_failing_find(const char *name);

/* Memory for what the look-up itself allocates; it is zero, and never used again. */
void *vmsi_failing_early_alloc(size_t alignment, size_t size);
bool vmsi_failing_is_early(const void *block);
size_t vmsi_failing_early_size(const void *block);

/* --- decide.c: which allocation fails --------------------------------------------- */

/* Have the allocations count from now on. */
void vmsi_failing_begin(struct vmsi_failing_memory *memory);

/* Count an allocation. Returns whether it is to fail. errno stays as it is. */
bool vmsi_failing_fails(enum vmsi_failing_function function, size_t size);

/*
 * Around a call of a next definition, which may call malloc by its name: that is the
 * same allocation. They nest.
 */
void vmsi_failing_enter(void);
void vmsi_failing_leave(void);

/* --- stack.c ------------------------------------------------------------------------- */

/*
 * Fill in hash, function, count and frames: those of the caller of this library. The
 * modules go to the memory.
 */
void vmsi_failing_take_stack(struct vmsi_failing_memory *memory,
			     enum vmsi_failing_function function,
			     struct vmsi_failing_stack *stack);

/* --- leaks.c ------------------------------------------------------------------------- */

/* Have leaks looked for at the end; report is a descriptor that stays open. */
void vmsi_failing_watch_leaks(struct vmsi_failing_memory *memory, int report);

/* --- serve.c -------------------------------------------------------------------------- */

/* Serve the socket. Returns in each child, which is to begin; else never. */
void vmsi_failing_serve(int socket);

/* --- tell.c --------------------------------------------------------------------------- */

bool vmsi_failing_send(int socket, enum vmsi_failing_kind kind, int value);

/*
 * Tell each change of a child, which is waited for by these flags besides, until it has
 * ended; it stays a zombie. Returns false where nobody listens.
 */
bool vmsi_failing_tell_changes(int socket, pid_t child, int flags,
			       enum vmsi_failing_kind kind);

/* --- trunk.c -------------------------------------------------------------------------- */

/* Make this process a trunk; the socket stays open. */
void vmsi_failing_begin_trunk(int socket);

/*
 * Branch before the allocation that comes from this stack, and wait for the branch.
 * Returns true in the branch, where the allocation is to fail.
 */
bool vmsi_failing_branch(struct vmsi_failing_memory *memory,
			 const struct vmsi_failing_stack *stack);

/* --- keep.c --------------------------------------------------------------------------- */

#define VMSI_FAILING_KEPT 64

/* What a branch changes for the trunk. */
struct vmsi_failing_kept {
	struct {
		int file;
		off_t position; /* -1: it has none */
	} files[VMSI_FAILING_KEPT];
	unsigned count;
	int output;   /* -1: it is closed */
	off_t length; /* of the output */
};

/* Learn which descriptors a trunk begins with. Returns false where they are too many. */
bool vmsi_failing_inherit(int socket);

/*
 * Keep what a branch may change. Returns false where it could change more: files that
 * are open for writing, pipes, sockets and shared mappings; or where it would lack
 * something: threads and children. The memory and the socket are the command's.
 */
bool vmsi_failing_keep(struct vmsi_failing_kept *kept, const void *memory,
		       int socket, const struct stat *output);
void vmsi_failing_put_back(const struct vmsi_failing_kept *kept);

#pragma GCC visibility pop

#endif
