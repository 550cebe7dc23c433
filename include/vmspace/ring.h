/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_RING_H
#define VMSPACE_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Rings: records that go from producers to consumers, between processes or threads.
 *
 * The memory of a ring is mapped twice in a row, so that no record is ever split. A
 * producer claims room for a record, writes it in place and commits it; a consumer
 * peeks at records where they are, and releases them. While there is room and there
 * are records, neither makes a system call.
 *
 * There are three kinds:
 *
 *   VMS_RING_SPSC       one producer, one consumer
 *   VMS_RING_MPSC       many producers, one consumer
 *   VMS_RING_BROADCAST  one producer, and consumers that each see all records. The
 *                       producer never waits: a consumer that is a whole ring behind
 *                       misses records, and is told how many. It goes on with the
 *                       oldest record that is there, or with the next one where the
 *                       producer is too fast for that.
 *
 * Caveats first.
 *
 * - A ring is memory of all who have its descriptor. They can write anything into it,
 *   and so spoil the records; they cannot make a call of another process fault, write
 *   elsewhere, or hang beyond its timeout. Who meets nonsense there gets EBADMSG, and
 *   from then on for each call on that vms_ring. What is in a record is as little to
 *   be believed: copy it before it is checked.
 * - That holds for rings without a name, whose descriptor is sealed against being
 *   shortened. A ring with a path is an ordinary file: who may write to it can shorten
 *   it, and then an access is answered with SIGBUS.
 * - An eventfd is as good as all who have it: a peer can make it a blocking one that is
 *   full, and then a commit that writes to it waits. Give it to those that are trusted so
 *   far, and let the others' consumers wait by vms_ring_wait.
 * - A producer may end at any instant, also by SIGKILL, between a claim and its
 *   commit: the claim is skipped, and what was committed is neither lost nor read
 *   twice. When a consumer ends, another one that takes its part goes on behind what
 *   was released: what was peeked at and not released is read again.
 * - An order holds for each producer: its records are read in the order of its claims.
 *   A claim that is not committed holds back all later records, until it is committed
 *   or aborted or its process ends.
 * - Threads: in a ring of VMS_RING_MPSC any number of threads may produce by one
 *   vms_ring. Of the other kinds one thread at a time may produce. One thread at a
 *   time may consume by one vms_ring, also while others produce by it.
 * - fork(2): the child has no part in the ring. Its vms_ring answers EBADF to all calls
 *   but vms_ring_fd, vms_ring_event_fd and vms_ring_close; the child attaches by
 *   vms_ring_attach(vms_ring_fd(ring), ...). A child that is made by a raw clone(2)
 *   keeps the parent's part alive for as long as it lives. execve(2) closes a ring.
 * - No call is safe from a signal handler.
 *
 * A call that fails leaves everything as it was; one that succeeds leaves errno as it
 * was.
 */

typedef struct vms_ring vms_ring;

enum vms_ring_kind {
	VMS_RING_SPSC = 1,
	VMS_RING_MPSC = 2,
	VMS_RING_BROADCAST = 3,
};

/* How long a call waits, in nanoseconds; or one of these. */
#define VMS_RING_NO_WAIT ((int64_t)0)
#define VMS_RING_FOREVER ((int64_t)-1)

/* Options of a ring; zero in a field means its default. */
struct vms_ring_options {
	/* sizeof(struct vms_ring_options); lets the struct grow. */
	size_t struct_size;
	/* VMS_RING_* bits. */
	unsigned flags;
	/*
	 * The rights of a file that vms_ring_create makes, less the umask. 0: 0600.
	 * Only with a path.
	 */
	unsigned mode;
	/*
	 * To make a ring of VMS_RING_MPSC: each record starts at a multiple of so many
	 * bytes, a power of two from 8 to 4096, and takes a multiple of it. 0: 64, so
	 * that no two producers write to one cache line. There are 8 bytes of memory
	 * for each such place.
	 */
	unsigned alignment;
	/* With VMS_RING_EVENT_FD: an eventfd(2), which is duplicated. */
	int event_fd;
};

/* Take the part of a producer. */
#define VMS_RING_PRODUCER 0x1u

/* Take the part of a consumer. */
#define VMS_RING_CONSUMER 0x2u

/* Make an eventfd for the ring; see vms_ring_arm. */
#define VMS_RING_EVENT 0x4u

/* A consumer of a VMS_RING_BROADCAST: begin with the oldest record that is there. */
#define VMS_RING_FROM_OLDEST 0x8u

/*
 * To attach by a descriptor: also to one that is not sealed against being shortened, as
 * that of a file. An access is answered with SIGBUS when somebody shortens it.
 */
#define VMS_RING_UNSEALED 0x10u

/* Write to, or wait for, the eventfd of the options. Not with VMS_RING_EVENT. */
#define VMS_RING_EVENT_FD 0x20u

/*
 * Make a ring, and take the parts that the options name; without any, it is made for
 * others only.
 *
 * path      of its file, which must not exist. NULL: memory without a name.
 * kind      one of enum vms_ring_kind.
 * capacity  bytes for records and what belongs to each: 8 bytes in a ring of
 *           VMS_RING_SPSC, and 8 for all, 16 in one of VMS_RING_BROADCAST, the alignment in one of
 *           VMS_RING_MPSC. Rounded up to a power of two, of at least a page; at most
 *           1 GiB. The memory is taken at once. Long records pass fastest in a ring of
 *           several times what a processor's second-level cache has.
 * options   NULL for the defaults; read during the call only.
 *
 * Returns the ring, which the caller owns and gives back by vms_ring_close(); NULL with
 * errno set on failure:
 *   EINVAL  an unknown kind, flag or alignment; flags that exclude each other or are for
 *           attaching; capacity is 0; mode without a path; struct_size is too small;
 *           event_fd is not an eventfd.
 *   E2BIG   options that the library does not know are not zero (vmspace/space.h).
 *   EFBIG   the capacity is too large; RLIMIT_FSIZE.
 *   EEXIST  the path exists.
 *   ENOSPC  /dev/shm or the disk is full.
 *   ENOMEM  no addresses or memory; a limit.
 *   EMFILE, ENFILE  no descriptor is left.
 *   EBADF   event_fd is no open descriptor.
 *   ENOENT  /proc is not mounted, by which a descriptor of the ring's own is opened;
 *           or as open(2) for the path.
 *   EACCES, and the others of open(2), for the path.
 * Thread-safe.
 */
vms_ring *vms_ring_create(const char *path, enum vms_ring_kind kind, size_t capacity,
			  const struct vms_ring_options *options);

/*
 * Attach to a ring by its descriptor, which stays the caller's and may be closed:
 * inherited, or sent over a socket (SCM_RIGHTS). Up to 128 can be attached at a time.
 *
 * Returns the ring, as vms_ring_create; NULL with errno set on failure:
 *   EBADMSG the descriptor is no ring, or one that is damaged or not complete yet.
 *   EPROTONOSUPPORT  a ring of a version that this library does not know, or one that
 *           has no place for pages of this host's size.
 *   EPERM   it is not sealed, and may be no ring (VMS_RING_UNSEALED).
 *   EACCES  it is a file that the caller has no right to open for reading and writing.
 *   EBUSY   another one has the part: a consumer, and a producer but in a
 *           VMS_RING_MPSC; or 128 are attached.
 *   EINVAL, E2BIG, ENOMEM, EMFILE, ENFILE, EBADF, ENOENT  as above.
 * Thread-safe.
 */
vms_ring *vms_ring_attach(int fd, const struct vms_ring_options *options);

/* The same by the path of a ring's file; also as open(2). */
vms_ring *vms_ring_attach_path(const char *path,
			       const struct vms_ring_options *options);

/*
 * Give this part in the ring back. What was claimed and not committed is skipped by the
 * consumer. The memory is freed when all have closed it and no descriptor of it is open;
 * the file of a path stays.
 *
 * Returns 0, also for NULL; -1 with errno set on failure, as vms_space_close.
 * No other call on the vms_ring may be running or follow.
 */
int vms_ring_close(vms_ring *ring);

/*
 * The descriptor, which stays the ring's: to be sent to others, or duplicated to be
 * inherited (it is close-on-exec). Never fails.
 */
int vms_ring_fd(const vms_ring *ring);

/*
 * The eventfd, which stays the ring's; -1 with errno ENOENT where it has none. A
 * producer can write to it only if it has it too: send it along with the descriptor of
 * the ring, and attach with VMS_RING_EVENT_FD.
 */
int vms_ring_event_fd(const vms_ring *ring);

/* --- to produce ------------------------------------------------------------------------ */

/*
 * Claim room for a record of at most length bytes, for the caller to fill; what is in
 * them is undefined. In a ring of VMS_RING_SPSC or VMS_RING_BROADCAST there is one claim
 * at a time, in one of VMS_RING_MPSC any number.
 *
 * Returns the first byte, which is aligned to 8 bytes, to be given to vms_ring_commit or
 * vms_ring_abort; NULL with errno set on failure:
 *   EAGAIN    there is no room now. It is counted.
 *   EMSGSIZE  length is more than a record can have (record_most of vms_ring_stats).
 *   EBUSY     there is a claim already.
 *   EPERM     the ring was opened without VMS_RING_PRODUCER.
 *   EBADMSG   the ring is broken.
 *   EBADF     in the child of a fork.
 */
void *vms_ring_try_claim(vms_ring *ring, size_t length);

/*
 * The same, and wait for room.
 *
 * timeout   nanoseconds, VMS_RING_NO_WAIT or VMS_RING_FOREVER.
 *
 * Returns as vms_ring_try_claim, and further:
 *   ETIMEDOUT  there was no room in that time.
 *   EINTR      a signal was handled.
 */
void *vms_ring_claim(vms_ring *ring, size_t length, int64_t timeout);

/*
 * Make a claim a record, of length bytes, at most those claimed, and wake who waits for
 * it.
 *
 * Returns 0; -1 with errno set on failure:
 *   EINVAL    data is no open claim of this vms_ring, or length is more than was claimed.
 *   EPERM, EBADMSG, EBADF  as vms_ring_try_claim.
 */
int vms_ring_commit(vms_ring *ring, void *data, size_t length);

/*
 * Give a claim up: nobody sees it.
 *
 * Returns as vms_ring_commit.
 */
int vms_ring_abort(vms_ring *ring, void *data);

/*
 * Add a record that is a copy of length bytes.
 *
 * Returns 0; -1 with errno set as by vms_ring_claim.
 */
int vms_ring_write(vms_ring *ring, const void *bytes, size_t length, int64_t timeout);

/* --- to consume ------------------------------------------------------------------------ */

/* A record in the ring. */
struct vms_ring_record {
	const void *data;  /* aligned to 8 bytes */
	size_t length;
	/* The library's own: where the next record is. */
	uint64_t end;
};

/*
 * Look at up to most records, from the first one on that is not released. They stay
 * where they are until vms_ring_release, and another call shows them again. In a ring
 * of VMS_RING_BROADCAST the producer may overwrite them meanwhile; vms_ring_release
 * tells.
 *
 * Returns how many there are, 0 to most; -1 with errno set on failure:
 *   EPERM     the ring was opened without VMS_RING_CONSUMER.
 *   EBADMSG   the ring is broken.
 *   EBADF     in the child of a fork.
 */
ssize_t vms_ring_peek(vms_ring *ring, struct vms_ring_record *records, size_t most);

/*
 * Release a record that vms_ring_peek has shown, and all before it: their room is free
 * again. To release many at once costs as much as to release one.
 *
 * Returns 0; -1 with errno set on failure:
 *   ESTALE    VMS_RING_BROADCAST: not all of what was peeked at was whole at this
 *             moment; it was overwritten and is not to be used. Nothing is released:
 *             the next vms_ring_peek goes on with what is there, and the figures tell
 *             what was missed.
 *   EINVAL    the latest vms_ring_peek did not show it; vms_ring_wait, vms_ring_read and
 *             vms_ring_arm look at the first record alone.
 *   EPERM, EBADMSG, EBADF  as vms_ring_peek.
 */
int vms_ring_release(vms_ring *ring, const struct vms_ring_record *record);

/*
 * Wait until vms_ring_peek shows a record.
 *
 * timeout   nanoseconds, VMS_RING_NO_WAIT or VMS_RING_FOREVER.
 *
 * Returns 0; -1 with errno set on failure:
 *   ETIMEDOUT  there was none in that time.
 *   EAGAIN     there is none, with VMS_RING_NO_WAIT.
 *   EINTR      a signal was handled.
 *   EPERM, EBADMSG, EBADF  as vms_ring_peek.
 */
int vms_ring_wait(vms_ring *ring, int64_t timeout);

/*
 * Copy the next record and release it.
 *
 * buffer, size  where to; what it has more than the record stays as it is.
 *
 * Returns the length of the record; -1 with errno set on failure:
 *   EMSGSIZE  the record has more than size bytes; it is not released.
 *   ETIMEDOUT, EAGAIN, EINTR, EPERM, EBADMSG, EBADF  as vms_ring_wait.
 */
ssize_t vms_ring_read(vms_ring *ring, void *buffer, size_t size, int64_t timeout);

/*
 * Before a wait by epoll(7) or poll(2) for the eventfd: have the next commit write to
 * it. Each call is good for one commit; read the eventfd and consume all there is before
 * the next call.
 *
 * Returns 1: there is a record already, and nothing is to be waited for; 0: wait; -1
 * with errno set on failure:
 *   ENOENT    the ring has no eventfd.
 *   EPERM, EBADMSG, EBADF  as vms_ring_peek.
 * A producer that has not got the eventfd does not write to it, and leaves that to the
 * next one that has. A claim that is skipped because its process died is seen by
 * vms_ring_peek only, and a producer may die between a commit and its write to the eventfd:
 * where producers may die, epoll with a timeout.
 */
int vms_ring_arm(vms_ring *ring);

/* --- figures --------------------------------------------------------------------------- */

/* Figures of a ring. Those marked here are of this vms_ring, the others of all. */
struct vms_ring_stats {
	/* sizeof(struct vms_ring_stats), set by the caller. */
	size_t struct_size;
	uint64_t capacity;        /* bytes */
	enum vms_ring_kind kind;
	unsigned alignment;       /* of records, in bytes */
	uint64_t record_most;     /* bytes of the longest record */
	uint64_t used;            /* bytes that are claimed, committed or peeked at */
	uint64_t records;         /* released; VMS_RING_BROADCAST: here */
	uint64_t bytes;           /* of the records released */
	uint64_t refused;         /* here: claims for which there was no room */
	uint64_t skipped;         /* claims of producers that had died */
	uint64_t aborted;         /* claims that were given up, VMS_RING_MPSC */
	uint64_t wakes;           /* here: commits and releases that woke somebody */
	uint64_t missed_records;  /* here: VMS_RING_BROADCAST */
	uint64_t missed_bytes;    /* here: with what belongs to each record */
	unsigned attached;        /* parts that are open */
};

/*
 * Read the figures of a ring, while others use it.
 *
 * Returns 0; -1 with errno EINVAL, E2BIG as vms_space_get_stats; EBADF.
 */
int vms_ring_get_stats(vms_ring *ring, struct vms_ring_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
