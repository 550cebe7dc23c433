/* SPDX-License-Identifier: MIT */
#ifndef VMSI_IO_IO_H
#define VMSI_IO_IO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * Reads and writes of files, many of them in flight together.
 *
 * By io_uring where the kernel and its filters let the process have it, else by threads
 * that are begun as they are needed; where no thread can be had either, whoever waits
 * does the work itself. So a request always ends, and what it ends with is what
 * pread(2), pwrite(2) or fdatasync(2) would have given: a transfer that was cut short,
 * interrupted, put off or cancelled is gone on with inside.
 *
 * Any number of threads may use a struct vmsi_io at once. What the kernel can copy at
 * once, from its page cache, it copies while a request is submitted, one ring at a
 * time: threads that shall not wait for each other there have one each, or use
 * vmsi_io_run. A single read that somebody waits for is the quickest by vmsi_io_run,
 * which is pread(2) in the calling thread.
 *
 * Nothing here takes memory from malloc, and the requests are the caller's own.
 */
struct vmsi_io;

enum vmsi_io_opcode {
	VMSI_IO_READ,
	VMSI_IO_WRITE,
	VMSI_IO_SYNC, /* fdatasync(2). It waits for no write that is in flight */
};

/*
 * One read, write or sync. The caller fills in the first part, with 0 in what it does
 * not use; the request and the memory that it names stay where they are until it has
 * ended. Requests in flight have no order among themselves. One is not put in flight
 * again before it has ended.
 */
struct vmsi_io_request {
	enum vmsi_io_opcode opcode;
	int fd;
	/*
	 * One range of bytes, or several, whose lengths add up to length and none of
	 * which is 0. At most IOV_MAX, 1024. A write only reads them.
	 */
	void *buffer;
	const struct iovec *parts;
	unsigned part_count; /* 0: buffer */
	/*
	 * Somebody waits for a request that is not detached: it must be waited for. A
	 * detached one ends by done alone, by and by, whether anybody waits or not.
	 */
	bool is_detached;
	size_t length;
	uint64_t offset;
	/*
	 * Called with no lock when the request has its result, in any thread that uses
	 * the io or in one of its own, before any wait for the request returns; may be
	 * NULL where it is not detached. It may submit requests, and must not wait for
	 * any. A detached request is done's own from the call on.
	 */
	void (*done)(struct vmsi_io_request *request);
	void *context;

	/*
	 * The bytes that were transferred (SYNC: 0), or -errno where there was an error
	 * and none was.
	 */
	long result;
	/*
	 * Why fewer bytes than length were transferred: -errno, or 0 at the end of the
	 * file. 0 where all were.
	 */
	int error;

	/* The room's own. */
	uintptr_t issuer;
	size_t moved;
	struct vmsi_io_request *next;
	_Atomic uint32_t has_ended;
};

/* 0: all bytes were transferred; -ENODATA: the file ended before; else -errno. */
int vmsi_io_status(const struct vmsi_io_request *request);

/* --- opening ------------------------------------------------------------------------ */

#define VMSI_IO_DEPTH_MOST 4096
#define VMSI_IO_THREADS_MOST 16

/* Threads, even if io_uring could be had. */
#define VMSI_IO_NO_RING 1u
/*
 * No threads of its own: what the ring does not carry out is left to who waits. So each
 * request is one that is waited for.
 */
#define VMSI_IO_NO_THREADS 2u

/*
 * Open. At most depth requests are in flight with the kernel at once, 1 to
 * VMSI_IO_DEPTH_MOST; others that were submitted wait for their turn. Returns 0, or
 * -errno: EINVAL (depth, an unknown flag), ENOMEM.
 */
int vmsi_io_open(unsigned depth, unsigned flags, struct vmsi_io **opened);

/*
 * Close. Waits for what is in flight, and calls done of what is detached; nobody else
 * uses it. In a child of fork after vmsi_io_forked it waits for nothing.
 */
void vmsi_io_close(struct vmsi_io *io);

enum vmsi_io_engine { VMSI_IO_RING, VMSI_IO_THREADS };

/* By what new requests are carried out. It may change from RING to THREADS. */
enum vmsi_io_engine vmsi_io_engine(const struct vmsi_io *io);

/*
 * Why there is no io_uring: -errno (ENOSYS, EPERM: refused; EMFILE, ENFILE, ENOMEM; or
 * what the kernel has answered a submission). 0: it is in force, or was not wanted.
 */
int vmsi_io_problem(const struct vmsi_io *io);

/* The bytes of memory that it takes now: records, ring, stacks of threads. */
size_t vmsi_io_bytes(struct vmsi_io *io);

/* The most that vmsi_io_bytes can become with so much depth, and these flags. */
size_t vmsi_io_most_bytes(unsigned depth, unsigned flags);

/* --- requests ----------------------------------------------------------------------- */

/*
 * Put requests in flight, in the order of the array; the array itself is not used
 * afterwards. It cannot fail, and does not wait for a transfer, but for what the kernel
 * copies at once; where no thread can be begun for detached requests, they are carried
 * out before it returns: then what done submits is carried out within it.
 *
 * The kernel interrupts the thread that has given a read or write to it as that ends, also
 * in calls that are never restarted, such as epoll_wait(2). So it gets detached requests
 * from a thread of the io only, and those that are awaited from their own: who submits
 * these waits for them before it does what must not be interrupted.
 */
void vmsi_io_submit(struct vmsi_io *io, struct vmsi_io_request *const requests[],
		    size_t count);

/*
 * Wait until a request that is not detached has ended, and return its result. While it
 * waits the thread ends what others have in flight, too: so who waits holds no lock that
 * the done of any request of this io takes. One thread waits for a request.
 */
long vmsi_io_wait(struct vmsi_io *io, struct vmsi_io_request *request);

/*
 * Whether a request that is not detached has ended: as vmsi_io_wait, without waiting; but
 * where there is neither a ring nor a thread, a request is carried out by each call.
 */
bool vmsi_io_has_ended(struct vmsi_io *io, struct vmsi_io_request *request);

/*
 * Carry a request out in the calling thread, by the calls of the host's table: pread,
 * preadv, pwrite, pwritev, fdatasync. done is called where it is not NULL. Returns the
 * result.
 */
long vmsi_io_run(struct vmsi_io_request *request);

/*
 * The same, after the caller has made the first call of the host for all of the request,
 * and got result from it.
 */
long vmsi_io_go_on(struct vmsi_io_request *request, long result);

/* --- fork --------------------------------------------------------------------------- */

/*
 * In the child of a fork, by the handler of who has opened it: the ring and the threads
 * are the parent's. What was in flight never ends here. Afterwards only
 * vmsi_io_close may be called. It takes no lock.
 */
void vmsi_io_forked(struct vmsi_io *io);

#endif
