/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_RECORDING_FORMAT_H
#define VMSI_CLI_RECORDING_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * The file of 'vmspace trace', as vmspace-trace(5) tells it: a magic word, and then
 * frames, which are only ever appended.
 *
 *	frame: length of the payload   4 bytes, the lowest first
 *	       checksum                4 bytes, the lowest first
 *	       payload                 items, one behind the other
 *
 * The checksum is made of the payload, its length and the place of the frame, so that
 * a frame is valid where it was written and nowhere else. The payload of the first
 * frame is the head. Numbers are of seven bits a byte, the lowest first, and the
 * highest bit of a byte says that another one follows.
 */

#define VMSI_RECORDING_MAGIC "VMSTRACE"
#define VMSI_RECORDING_MAGIC_BYTES 8
#define VMSI_RECORDING_VERSION 2
/* The oldest that is read: it has no granted calls. */
#define VMSI_RECORDING_VERSION_LEAST 1

#define VMSI_FRAME_HEAD 8
#define VMSI_FRAME_MOST ((size_t)1 << 20) /* bytes of payload */
#define VMSI_NUMBER_MOST 10               /* bytes of a number */
#define VMSI_RECORDED_TEXT_MOST ((size_t)8192) /* bytes; what is longer is cut off */
#define VMSI_RECORDED_FRAMES_MOST 256     /* of a stack */

/* What an item begins with. */
enum vmsi_item {
	VMSI_ITEM_TIME = 1,  /* microseconds since the last one */
	VMSI_ITEM_PROCESS,   /* pid, parent + 1, name; it is the one that is spoken of */
	VMSI_ITEM_ENDED,     /* process, 0 or 1 and its status */
	VMSI_ITEM_OWNER,     /* process, kind, name */
	VMSI_ITEM_STACK,     /* count, as many texts */
	VMSI_ITEM_OF,        /* process: it is the one that is spoken of */
	VMSI_ITEM_MAPPING,   /* flags, owner, place, and figures */
	VMSI_ITEM_UNMAPPED,  /* flags, place */
	VMSI_ITEM_CALL,      /* how long ago, process + 1, call, error, stack + 1, size */
	VMSI_ITEM_LIMIT,     /* size, commit */
	VMSI_ITEM_MACHINE,   /* size, commit, file */
	VMSI_ITEM_END,       /* the recorder has come to the end */
	/*
	 * How long ago, from the first to the last, process + 1, call, stack + 1, count,
	 * size, commit.
	 */
	VMSI_ITEM_GRANTED,
};

/* Flags of a mapping. The lowest three bits are PROT_*. */
#define VMSI_MAPPED_SHARED 0x08u
#define VMSI_MAPPED_PAGES 0x10u      /* there are figures of pages */
#define VMSI_MAPPED_ALL_COMMIT 0x20u /* commit is its length, and not told */
#define VMSI_MAPPED_BYTES 0x40u      /* sizes are bytes, and not pages */

/*
 * A place is how far the start is from the end of the place before in that process
 * (even: twice so much above; odd: twice so much below, less 1), and the length.
 */
static inline uint64_t vmsi_zigzag(uint64_t from, uint64_t to)
{
	const uint64_t way = to - from;

	return way << 1 ^ (uint64_t)-(way >> 63);
}

static inline uint64_t vmsi_unzigzag(uint64_t from, uint64_t way)
{
	return from + (way >> 1 ^ (uint64_t)-(way & 1));
}

uint32_t vmsi_frame_sum(const void *payload, size_t length, uint64_t place);

static inline void vmsi_put_u32(unsigned char *to, uint32_t number)
{
	for (int i = 0; i < 4; i++)
		to[i] = (unsigned char)(number >> 8 * i);
}

static inline uint32_t vmsi_get_u32(const unsigned char *from)
{
	uint32_t number = 0;

	for (int i = 0; i < 4; i++)
		number |= (uint32_t)from[i] << 8 * i;
	return number;
}

#endif
