/* SPDX-License-Identifier: MIT */
#include "pool/area/format.h"

#include <string.h>

#include "pool/area/sum.h"

#define HEADER_MAGIC UINT64_C(0x3161657261736d76) /* "vmsarea1" */
#define HEAD_MAGIC UINT64_C(0x6863746162736d76)   /* "vmsbatch" */
#define VERSION 1u

#define PAGE_LEAST ((uint64_t)4096)
#define PAGE_MOST ((uint64_t)2 << 20)

/* Behind the check. */
#define HEADER_FROM offsetof(struct vmsi_area_header, version)
#define HEAD_FROM offsetof(struct vmsi_area_head, sequence)

/* --- the header ------------------------------------------------------------------------------ */

static uint64_t check_of_header(const struct vmsi_area_header *header)
{
	return vmsi_area_hash((const char *)header + HEADER_FROM,
			      sizeof(*header) - HEADER_FROM, 0);
}

void vmsi_area_header_finish(struct vmsi_area_header *header)
{
	header->magic = HEADER_MAGIC;
	header->version = VERSION;
	header->check = check_of_header(header);
}

static bool is_possible(const struct vmsi_area_header *header)
{
	return header->page_size >= PAGE_LEAST && header->page_size <= PAGE_MOST &&
		(header->page_size & (header->page_size - 1)) == 0 &&
		header->batch_pages >= 1 && header->batch_pages <= VMSI_AREA_BATCH_MOST &&
		header->places >= 2 && header->places <= VMSI_AREA_PLACES_MOST;
}

static bool is_zero(const void *bytes, size_t length)
{
	const char *at = bytes;

	return at[0] == 0 && memcmp(at, at + 1, length - 1) == 0;
}

enum vmsi_area_state vmsi_area_header_state(const struct vmsi_area_header *header)
{
	if (is_zero(header, sizeof(*header)))
		return VMSI_AREA_ABSENT;
	if (header->magic != HEADER_MAGIC)
		return VMSI_AREA_FOREIGN;
	if (header->check != check_of_header(header))
		return VMSI_AREA_DAMAGED;
	if (header->version != VERSION)
		return VMSI_AREA_OTHER_VERSION;
	return is_possible(header) ? VMSI_AREA_VALID : VMSI_AREA_DAMAGED;
}

uint64_t vmsi_area_place_bytes(const struct vmsi_area_header *header)
{
	return VMSI_AREA_HEAD_BYTES + header->batch_pages * header->page_size;
}

uint64_t vmsi_area_bytes(const struct vmsi_area_header *header)
{
	return VMSI_AREA_HEADER_BYTES + header->places * vmsi_area_place_bytes(header);
}

uint64_t vmsi_area_offset(const struct vmsi_area_header *header, uint64_t sequence)
{
	return VMSI_AREA_HEADER_BYTES +
		sequence % header->places * vmsi_area_place_bytes(header);
}

/* --- batches ---------------------------------------------------------------------------------- */

uint64_t vmsi_area_sum(const struct vmsi_area_header *header, uint64_t sequence,
		       uint64_t page, const void *image)
{
	const uint64_t about[] = { header->salt, sequence, page };

	return vmsi_area_hash(image, header->page_size,
			      vmsi_area_hash(about, sizeof(about), 0));
}

static uint64_t check_of_head(const struct vmsi_area_header *header,
			      const struct vmsi_area_head *head)
{
	return vmsi_area_hash((const char *)head + HEAD_FROM,
			      offsetof(struct vmsi_area_head, entries) - HEAD_FROM +
				      head->count * sizeof(head->entries[0]),
			      header->salt);
}

void vmsi_area_head_finish(const struct vmsi_area_header *header,
			   struct vmsi_area_head *head)
{
	head->magic = HEAD_MAGIC;
	head->check = check_of_head(header, head);
}

enum vmsi_area_state vmsi_area_head_state(const struct vmsi_area_header *header,
					  const struct vmsi_area_head *head,
					  unsigned place)
{
	if (is_zero(head, sizeof(*head)))
		return VMSI_AREA_ABSENT;
	if (head->magic != HEAD_MAGIC || head->count > header->batch_pages ||
	    head->check != check_of_head(header, head))
		return VMSI_AREA_DAMAGED;
	/* Nobody but a forger writes such a one. */
	if (head->sequence % header->places != place || head->sequence <= head->settled ||
	    head->sequence - head->settled >= header->places)
		return VMSI_AREA_DAMAGED;
	return VMSI_AREA_VALID;
}
