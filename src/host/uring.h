/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_URING_H
#define VMSI_HOST_URING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * io_uring(7): operations that the kernel carries out beside the program. Like
 * vmsi_host this is a table that tests replace. It is a table of its own, so that
 * libraries which do not use it are not linked with liburing.
 *
 * Nothing here is safe against other threads, but that reap of one thread may run
 * beside add and submit of another.
 */

enum vmsi_uring_opcode {
	VMSI_URING_READ,
	VMSI_URING_WRITE,
	VMSI_URING_SYNC,    /* as fdatasync(2) */
	/*
	 * It ends as it is submitted, and gives no result: who waits in reap, or is the next
	 * to wait there, comes back, maybe with none.
	 */
	VMSI_URING_NOTHING,
};

struct vmsi_uring_operation {
	enum vmsi_uring_opcode opcode;
	int fd;
	/* One range of bytes, or, where part_count is not 0, several of them. */
	void *buffer;
	size_t length;
	const struct iovec *parts; /* they stay until the operation has ended */
	unsigned part_count;
	uint64_t offset;
	void *name; /* comes back with the result */
};

struct vmsi_uring_result {
	void *name;
	long result; /* as pread(2), pwrite(2), fdatasync(2): -errno on failure */
};

/* Memory for a ring, in which liburing keeps its own. */
struct vmsi_uring {
	union {
		uint64_t words[32];
		void *align;
	} memory;
};

/* The operations that are added and not submitted, and those in flight: at most. */
#define VMSI_URING_MOST 4096

struct vmsi_uring_calls {
	/*
	 * Make a ring for so many operations, 1 to VMSI_URING_MOST. Returns 0 or
	 * -errno: ENOSYS, EPERM where the kernel or a filter has no io_uring, or it was
	 * not built in; EOPNOTSUPP where it lacks an opcode; EMFILE, ENFILE, ENOMEM.
	 * A child of fork does not get the ring's memory.
	 */
	int (*open)(struct vmsi_uring *ring, unsigned entries);
	/* Nothing is in flight. */
	void (*close)(struct vmsi_uring *ring);
	/* In the child of a fork: close the descriptor that it has inherited. */
	void (*forget)(struct vmsi_uring *ring);
	/* Add an operation. false: as many as there are entries wait for submit. */
	bool (*add)(struct vmsi_uring *ring, const struct vmsi_uring_operation *operation);
	/*
	 * Give the kernel what was added, in that order. Returns how many it has taken,
	 * maybe not all, or -errno and it has taken none: EAGAIN, EBUSY, EINTR may be
	 * tried again.
	 */
	int (*submit)(struct vmsi_uring *ring);
	/*
	 * Take results, up to most of them. Where wait is true and there is none, wait
	 * for one, or for an operation of nothing. Returns how many, or -errno and there
	 * are none: EINTR, ...
	 */
	int (*reap)(struct vmsi_uring *ring, struct vmsi_uring_result *results,
		    unsigned most, bool wait);
	/* The bytes of memory that a ring takes. */
	size_t (*bytes)(const struct vmsi_uring *ring);
};

extern struct vmsi_uring_calls vmsi_uring;

#endif
