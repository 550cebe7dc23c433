/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SWAP_SWAP_H
#define VMSI_SWAP_SWAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "io/io.h"

/*
 * A store for pages that have no file. What is put there is compressed and kept in
 * memory; as that fills up, the oldest goes to a swap file, by whole clusters.
 *
 * The file is written and read by way of the page cache, whose memory is the kernel's and
 * not in ram_bytes.
 *
 * What comes out is what went in, or an error: whatever was read from the file has to
 * have the checksum that it was written with. Nothing is ever read that another run has
 * written.
 *
 * Any number of threads may use a store at once. Nothing here takes memory from malloc.
 */
struct vmsi_swap;

enum vmsi_swap_codec {
	VMSI_SWAP_RAW, /* as it is */
	VMSI_SWAP_LZ4,
	VMSI_SWAP_ZSTD,
};

struct vmsi_swap_options {
	/*
	 * The swap file; NULL: none, and memory is all there is. Of a directory: a file
	 * in it that has no name, or where its file system makes none such has one until
	 * it is open. Otherwise a file that is made with the mode 0600, or one
	 * that an earlier run has left, or an empty one: what is in it is lost.
	 */
	const char *path;
	uint64_t file_bytes; /* the most that the file may take; in units of cluster_bytes */
	size_t page_bytes;   /* of a page: a power of two, 4 KiB to 2 MiB */
	uint64_t places;     /* the most pages that are kept at once */
	size_t ram_bytes;    /* the most memory that the store takes, with all its records */
	size_t ram_most;     /* the most that vmsi_swap_set_ram may be asked for; 0: ram_bytes */
	enum vmsi_swap_codec codec;
	int level;          /* LZ4: acceleration; ZSTD: level. 0: the fastest usual one */
	struct vmsi_io *io; /* for the file, open until the store is closed */
	/*
	 * Whether the calling thread must begin no other: it writes to the file itself then.
	 * NULL: none must.
	 */
	bool (*is_alone)(void);
};

#define VMSI_SWAP_PAGE_LEAST ((size_t)4 << 10)
#define VMSI_SWAP_PAGE_MOST ((size_t)2 << 20)

/* The least ram_bytes for pages of a size, where ram_most is below 32 GiB. */
size_t vmsi_swap_least_bytes(size_t page_bytes, enum vmsi_swap_codec codec);

/*
 * Open a store. Returns 0, or -errno, and nothing was made or changed:
 * EINVAL  page_bytes, places, codec; ram_bytes below the least, or above ram_most; a path
 *         without io; less
 *         than 8 clusters of file, of the limit or of RLIMIT_FSIZE
 * EEXIST  path is a file with something else in it, or no regular file
 * EPERM   path is a file of another user, or that other users may use, or that has
 *         another name
 * EBUSY   another store has it
 * ENOMEM, or what open(2), fcntl(2), ftruncate(2), pwrite(2) give.
 */
int vmsi_swap_open(const struct vmsi_swap_options *options, struct vmsi_swap **opened);

/*
 * Close. Waits for what is being written; nobody else uses the store. The file is made
 * empty, and stays where it has a name; after a death of the process what was in it stays,
 * too, until the next open. In a child of fork after vmsi_swap_forked: lets
 * go of what the child has of it.
 */
void vmsi_swap_close(struct vmsi_swap *swap);

/* How pages are compressed: RAW where the library was built without what was asked for. */
enum vmsi_swap_codec vmsi_swap_codec(const struct vmsi_swap *swap);

/*
 * Keep count pages, and tell their places: all of them, or none. The pages do not change
 * meanwhile. It may wait until others were written to the file. Returns 0, or -errno:
 * ENOSPC  as many as there are places; the file is as large as it may be, or the disk is
 *         full, or there is no file; or there is no memory for more records
 * EFBIG   RLIMIT_FSIZE was lowered since the store was opened
 * EIO, EDQUOT, ... what the file has answered to a write; what is kept is kept.
 * Not to be called by the done of a request of the store's io.
 */
int vmsi_swap_put(struct vmsi_swap *swap, const void *const pages[], size_t count,
		  uint64_t places[]);

/*
 * Read the page of a place into a buffer; it is kept until it is freed, and is not freed
 * meanwhile. Returns 0, or -errno, and the bytes of the buffer are undefined:
 * EIO     it is not what was written, or could not be read
 * EINVAL  the place has no page
 * or what the file has answered.
 */
int vmsi_swap_get(struct vmsi_swap *swap, uint64_t place, void *buffer);

/*
 * The same in two steps, for who has other things to do meanwhile. place and buffer are
 * the caller's to fill in, all else is the store's.
 */
struct vmsi_swap_get {
	uint64_t place;
	void *buffer;
	struct vmsi_io_request *request;
	uint64_t word, sequence;
	const char *bytes;
	uint64_t header[3];
	struct iovec parts[2];
	int error; /* of a get that is over */
};

/*
 * Begin. true: the page is in the file; *request is to be submitted to the store's io, by
 * a caller that may fill in its done, context and is_detached first, and once it has ended
 * vmsi_swap_end_get is called, also by its done. false: it is over, error tells how.
 */
bool vmsi_swap_begin_get(struct vmsi_swap *swap, struct vmsi_swap_get *get,
			 struct vmsi_io_request *request);

/* Returns as vmsi_swap_get. */
int vmsi_swap_end_get(struct vmsi_swap *swap, struct vmsi_swap_get *get);

/*
 * Read many, those that are in the file in flight together. errors[i] is the result of
 * places[i]. Returns the first that is not 0.
 */
int vmsi_swap_get_many(struct vmsi_swap *swap, const uint64_t places[],
		       void *const buffers[], size_t count, int errors[]);

/* Free a place. The page is gone; whoever puts one next may get the place. */
void vmsi_swap_free(struct vmsi_swap *swap, uint64_t place);

/*
 * Change ram_bytes, while others use the store; one thread at a time. What is too much
 * goes to the file before the call returns. Returns 0, or -errno, and ram_bytes is as it
 * was, though more may be in the file:
 * EINVAL  less than the least for the clusters that there are, or more than ram_most
 * ENOSPC  the file is full, or there is none
 * ENOMEM  the records alone take too much, or the host keeps the memory
 * EIO, EDQUOT, ... what the file has answered to a write.
 * Not to be called by the done of a request of the store's io.
 */
int vmsi_swap_set_ram(struct vmsi_swap *swap, size_t ram_bytes);

/*
 * The least that vmsi_swap_set_ram may be asked for, but for the records of places and
 * clusters that there will be. It does not change.
 */
size_t vmsi_swap_least(const struct vmsi_swap *swap);

/* The bytes of memory that the store takes now. Never more than ram_bytes. */
size_t vmsi_swap_bytes(struct vmsi_swap *swap);

/* Places that were ever used: all that there are have a lower number. */
uint64_t vmsi_swap_places(struct vmsi_swap *swap);

struct vmsi_swap_figures {
	uint64_t pages;         /* kept */
	uint64_t zero_pages;    /* of them, of zeros: they take no memory */
	uint64_t object_bytes;  /* of the others, as they are kept */
	size_t cluster_bytes;   /* of which all the rest are counted */
	uint64_t in_memory;     /* clusters */
	uint64_t in_file;       /* likewise, with those that are only in part in use */
	uint64_t written;       /* since it was opened */
	uint64_t collected;     /* whose pages were moved, so that they are free again */
	uint64_t failed_writes;
	uint64_t failed_reads;  /* pages of which the file had something else, or nothing */
	uint64_t raw_pages;     /* put since it was opened, that could not be compressed */
};

void vmsi_swap_get_figures(struct vmsi_swap *swap, struct vmsi_swap_figures *figures);

/*
 * In the child of a fork, by the handler of who has opened it: the memory and the file are
 * the parent's. Afterwards only vmsi_swap_close may be called. It takes no lock.
 */
void vmsi_swap_forked(struct vmsi_swap *swap);

#endif
