/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_BUFFER_H
#define VMSPACE_BUFFER_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <vmspace/space.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Buffers: bytes that grow without being copied.
 *
 * Caveats first.
 *
 * - A buffer with a maximum never moves: pointers into it hold until it is
 *   freed. One without a maximum may move whenever it grows (by page tables,
 *   not by copying) and is to be used by offset.
 * - It is made for bytes that may become many. It commits the page that it needs
 *   first, and then twice what it needs. From a huge page (2 MiB) on it commits
 *   at least a huge page more than it needs, and asks the host for huge pages.
 * - Each buffer is a mapping or two of the host, so that with the usual
 *   vm.max_map_count of 65530 some 30,000 fit into a process.
 * - The maximum reserves addresses only, which count against RLIMIT_AS. Memory is
 *   committed as the buffer grows, and may be refused then.
 * - A buffer has no lock: one thread at a time may use it. Different buffers, also
 *   of one space, may be used at the same time.
 * - fork(2): the child has its own copy of the buffer and its memory.
 * - No call is safe from a signal handler.
 *
 * A call that fails leaves the buffer and its contents as they were; one that
 * succeeds leaves errno as it was. A buffer that is not initialised must be all
 * zero, as it is after it was freed or detached; calls that would need memory then
 * fail with EINVAL.
 */

/*
 * The program may read the fields; only the calls change them. The struct may be
 * moved elsewhere, but a copy of it is no second buffer.
 */
typedef struct vms_buffer {
	char *data;        /* the first byte; never NULL once initialised */
	size_t size;       /* bytes in use */
	size_t room;       /* bytes that may be in use before a system call */

	/* The library's own. */
	size_t dirty;      /* [size, dirty) may hold bytes of earlier contents */
	size_t committed;  /* bytes that are readable and writable */
	size_t reserved;   /* bytes of addresses */
	size_t maximum;
	uint64_t moves;
	vms_space *space;
	unsigned flags;
	void *sign;        /* by which others know what is the buffer's */
} vms_buffer;

/* Options of a buffer; zero in a field means its default. */
struct vms_buffer_options {
	/* sizeof(struct vms_buffer_options); lets the struct grow. */
	size_t struct_size;
	/*
	 * The space that the buffer's memory comes from, which must stay open
	 * until the buffer is freed. NULL: one that all buffers of the process
	 * share, without a commit limit; or a space of the buffer's own, where
	 * that one has not enough addresses for the maximum.
	 */
	vms_space *space;
	/* VMS_BUFFER_* bits. */
	unsigned flags;
	/*
	 * A budget that is charged what the buffer commits (vmspace/budget.h);
	 * it must stay open until the buffer, or the memory detached from it, is
	 * freed. Only for a buffer with a maximum and with space NULL: it gets a
	 * space of its own. NULL: none.
	 */
	struct vms_budget *budget;
};

/* No huge pages. */
#define VMS_BUFFER_SMALL_PAGES 0x1u

/*
 * Make an empty buffer.
 *
 * buffer    whatever was in it is overwritten.
 * maximum   bytes; so many addresses are reserved, and a touch of the address
 *           behind them faults. 0: no maximum, and the buffer may move.
 * options   NULL for the defaults; read during the call only.
 *
 * Returns 0, and the caller gives the buffer back by vms_buffer_free() or
 * vms_buffer_detach(); -1 with errno set on failure:
 *   EINVAL  buffer is NULL; struct_size is too small; unknown flags; a
 *           budget together with a space or without a maximum.
 *   E2BIG   options that the library does not know are not zero
 *           (vmspace/space.h).
 *   ENOMEM  the addresses are refused: RLIMIT_AS, the map-count limit, a space
 *           that is full; no memory for records.
 *   EAGAIN  mlockall(MCL_FUTURE) is in force and RLIMIT_MEMLOCK is reached.
 */
int vms_buffer_init(vms_buffer *buffer, size_t maximum,
		    const struct vms_buffer_options *options);

/*
 * Give a buffer's memory and addresses back; it is all zero afterwards.
 *
 * Returns 0, also for NULL and a buffer that is all zero; -1 with errno set on
 * failure:
 *   ENOMEM  the map-count limit is reached and a mapping had to be split.
 *   EPERM   part of the memory is sealed (mseal(2)).
 *   EAGAIN  as vms_munmap.
 */
int vms_buffer_free(vms_buffer *buffer);

/*
 * Make room for length more bytes, so that adding them needs no system call. On
 * small pages, and so before the first huge page, the pages that are written next
 * are brought into memory by this call.
 *
 * Returns 0; -1 with errno set on failure:
 *   ENOMEM  the maximum or the end of the space would be passed; commit, the
 *           space's or the host's; an rlimit; the map-count limit.
 *   EINVAL  the buffer is not initialised.
 *   EAGAIN, EPERM  as vms_mprotect; without a maximum, as vms_mremap.
 */
int vms_buffer_make_room(vms_buffer *buffer, size_t length);

/*
 * Add length bytes, which may lie in the buffer itself.
 *
 * Returns 0; -1 with errno set as by vms_buffer_make_room.
 */
inline int vms_buffer_append(vms_buffer *buffer, const void *bytes,
			     size_t length);

/*
 * Add length bytes for the caller to fill; what is in them is undefined.
 *
 * Returns the first of them; NULL with errno set as by vms_buffer_make_room.
 */
inline void *vms_buffer_extend(vms_buffer *buffer, size_t length);

/*
 * Make a buffer size bytes long. Bytes that are added are zero; memory that was
 * never used is not touched for that. Memory that is cut off stays committed.
 *
 * Returns 0; -1 with errno set as by vms_buffer_make_room.
 */
int vms_buffer_resize(vms_buffer *buffer, size_t size);

/*
 * Cut a buffer off at size bytes, or at 0. Its memory stays committed.
 *
 * vms_buffer_truncate returns 0; -1 with errno EINVAL where size is more than
 * the buffer has.
 */
inline int vms_buffer_truncate(vms_buffer *buffer, size_t size);
inline void vms_buffer_clear(vms_buffer *buffer);

/*
 * Commit memory for size bytes in all, so that growth up to there cannot be
 * refused. The size of the buffer stays as it is.
 *
 * Returns 0; -1 with errno set as by vms_buffer_make_room.
 */
int vms_buffer_reserve(vms_buffer *buffer, size_t size);

/*
 * Give back all memory and commit beyond the size, to the page. The addresses
 * of a buffer with a maximum stay reserved.
 *
 * Returns 0; -1 with errno set on failure:
 *   ENOMEM  the map-count limit; no memory for records.
 *   EINVAL  the buffer is not initialised; memory of it is locked.
 *   EAGAIN, EPERM  as vms_decommit; without a maximum, as vms_munmap.
 */
int vms_buffer_shrink(vms_buffer *buffer);

/*
 * The address of the byte at offset. It is valid until the buffer grows; if it has
 * a maximum, until it is freed.
 *
 * Returns NULL with errno ERANGE where offset is not below the size.
 */
inline void *vms_buffer_at(const vms_buffer *buffer, size_t offset);

/* Memory that was taken out of a buffer. */
struct vms_detached {
	void *address;     /* the first byte; NULL where there was none */
	size_t size;       /* bytes that were in use */
	size_t length;     /* bytes of the mapping: size rounded up to a page */
	vms_space *space;  /* where it lies */
	unsigned flags;    /* the library's own */
};

/*
 * Take the memory out of a buffer: it becomes a mapping of the caller's in its
 * space, readable and writable, at the address where it was. Memory and
 * addresses beyond the size are given back. The buffer is all zero afterwards.
 *
 * Returns 0, and the caller gives *detached back by vms_detached_free(), or,
 * where the buffer was made in a space of the caller's, by vms_munmap; -1 with
 * errno set on failure:
 *   EINVAL  an argument is NULL; the buffer is not initialised.
 *   ENOMEM, EPERM, EAGAIN  as vms_munmap.
 */
int vms_buffer_detach(vms_buffer *buffer, struct vms_detached *detached);

/*
 * Give detached memory back; *detached is all zero afterwards.
 *
 * Returns 0, also for NULL and what is all zero; -1 with errno ENOMEM, EPERM or
 * EAGAIN as vms_munmap.
 */
int vms_detached_free(struct vms_detached *detached);

/* Figures of a buffer, in bytes unless said otherwise. */
struct vms_buffer_stats {
	/* sizeof(struct vms_buffer_stats), set by the caller. */
	size_t struct_size;
	size_t size;       /* in use */
	size_t committed;  /* charged: readable and writable */
	size_t reserved;   /* addresses, with what lies behind the maximum */
	size_t maximum;    /* the most it can hold; 0: no maximum */
	uint64_t moves;    /* number of times that it moved */
};

/*
 * The figures of a buffer.
 *
 * Returns 0; -1 with errno EINVAL for a NULL argument or a
 * struct_size that is too small, E2BIG for one that is too large
 * (vmspace/space.h).
 */
int vms_buffer_get_stats(const vms_buffer *buffer,
			 struct vms_buffer_stats *stats);

/* --- the calls that are inline; the library has each as a function, too ------ */

/* C++ compilers can be asked to warn of C's casts and NULL. */
#ifdef __cplusplus
#define VMS_BUFFER_NULL nullptr
#define VMS_BUFFER_ADDRESS(pointer) reinterpret_cast<uintptr_t>(pointer)
#else
#define VMS_BUFFER_NULL NULL
#define VMS_BUFFER_ADDRESS(pointer) ((uintptr_t)(pointer))
#endif

inline void *vms_buffer_extend(vms_buffer *buffer, size_t length)
{
	char *place;

	if (length > buffer->room - buffer->size &&
	    vms_buffer_make_room(buffer, length) != 0)
		return VMS_BUFFER_NULL;
	place = buffer->data + buffer->size;
	buffer->size += length;
	return place;
}

inline int vms_buffer_append(vms_buffer *buffer, const void *bytes,
			     size_t length)
{
	if (length > buffer->room - buffer->size) {
		size_t inside = VMS_BUFFER_ADDRESS(bytes) -
			VMS_BUFFER_ADDRESS(buffer->data);

		if (vms_buffer_make_room(buffer, length) != 0)
			return -1;
		/* The buffer may have moved, and the bytes with it. */
		if (inside < buffer->size)
			bytes = buffer->data + inside;
	}
	if (length != 0)
		memcpy(buffer->data + buffer->size, bytes, length);
	buffer->size += length;
	return 0;
}

inline int vms_buffer_truncate(vms_buffer *buffer, size_t size)
{
	if (size > buffer->size) {
		errno = EINVAL;
		return -1;
	}
	if (buffer->dirty < buffer->size)
		buffer->dirty = buffer->size;
	buffer->size = size;
	return 0;
}

inline void vms_buffer_clear(vms_buffer *buffer)
{
	if (buffer->dirty < buffer->size)
		buffer->dirty = buffer->size;
	buffer->size = 0;
}

inline void *vms_buffer_at(const vms_buffer *buffer, size_t offset)
{
	if (offset >= buffer->size) {
		errno = ERANGE;
		return VMS_BUFFER_NULL;
	}
	return buffer->data + offset;
}

#ifdef __cplusplus
}
#endif

#endif
