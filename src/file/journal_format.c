/* SPDX-License-Identifier: MIT */
#include "file/journal_format.h"

#include <string.h>

/* "vmsjrnl1", "vmsrcrd1" and "vmsattr1" as the bytes of a little-endian number. */
#define HEADER_MAGIC UINT64_C(0x316c6e726a736d76)
#define HEAD_MAGIC UINT64_C(0x3164726372736d76)
#define ATTRIBUTE_MAGIC UINT64_C(0x3172747461736d76)
#define VERSION 1

/* What a checksum covers begins behind the two fields that each of the three has. */
#define COVERED (2 * sizeof(uint64_t))

static uint64_t sum_of(const void *record, size_t length, uint64_t seed)
{
	return vmsi_journal_sum((const char *)record + COVERED, length - COVERED,
				seed);
}

/* --- the header ----------------------------------------------------------------- */

void vmsi_header_finish(struct vmsi_header *header)
{
	header->magic = HEADER_MAGIC;
	header->version = VERSION;
	header->check = sum_of(header, sizeof(*header), header->salt);
}

enum vmsi_header_state vmsi_header_state(const struct vmsi_header *header)
{
	static const struct vmsi_header zeros;

	if (memcmp(header, &zeros, sizeof(zeros)) == 0)
		return VMSI_HEADER_ABSENT;
	if (header->magic != HEADER_MAGIC)
		return VMSI_HEADER_BROKEN;
	if (header->version != VERSION)
		return VMSI_HEADER_OTHER_VERSION;
	if (header->check != sum_of(header, sizeof(*header), header->salt) ||
	    header->epoch > VMSI_EPOCH_MOST)
		return VMSI_HEADER_BROKEN;
	return VMSI_HEADER_VALID;
}

/* --- records ---------------------------------------------------------------------- */

static size_t head_length(size_t count)
{
	return sizeof(struct vmsi_head) + count * sizeof(struct vmsi_entry);
}

size_t vmsi_head_bytes(size_t count, size_t block)
{
	return (head_length(count) + block - 1) / block * block;
}

uint64_t vmsi_record_bytes(size_t count, size_t block)
{
	return vmsi_head_bytes(count, block) + (uint64_t)count * block;
}

void vmsi_head_finish(struct vmsi_head *head)
{
	head->magic = HEAD_MAGIC;
	head->check = sum_of(head, head_length(head->count), head->salt);
}

bool vmsi_head_is_of(const struct vmsi_head *head, uint64_t salt,
		     uint64_t offset)
{
	return head->magic == HEAD_MAGIC && head->salt == salt &&
		head->offset == offset && head->count <= VMSI_ENTRIES_MOST;
}

bool vmsi_head_is_whole(struct vmsi_head *head)
{
	return head->check == sum_of(head, head_length(head->count), head->salt);
}

static bool has_page_beyond(struct vmsi_head *head, size_t block)
{
	const struct vmsi_entry *entry = vmsi_head_entries(head);
	const uint64_t pages = head->size / block + (head->size % block != 0);

	for (uint32_t i = 0; i < head->count; i++)
		if (entry[i].page >= pages)
			return true;
	return false;
}

const char *vmsi_head_problem(struct vmsi_head *head, size_t block)
{
	if (head->kind != VMSI_RECORD_SPILL && head->kind != VMSI_RECORD_COMMIT)
		return "a record of the journal is of an unknown kind";
	if (head->size > INT64_MAX || head->smallest > head->size)
		return "a record of the journal has impossible sizes";
	if (has_page_beyond(head, block))
		return "a record of the journal has a page beyond the end of the "
		       "file";
	return NULL;
}

/* --- the attribute of the home file --------------------------------------------------- */

void vmsi_attribute_finish(struct vmsi_attribute *attribute)
{
	attribute->magic = ATTRIBUTE_MAGIC;
	attribute->check = sum_of(attribute, sizeof(*attribute), 0);
}

bool vmsi_attribute_is_whole(const struct vmsi_attribute *attribute)
{
	return attribute->magic == ATTRIBUTE_MAGIC &&
		attribute->epoch <= VMSI_EPOCH_MOST &&
		attribute->check == sum_of(attribute, sizeof(*attribute), 0);
}
