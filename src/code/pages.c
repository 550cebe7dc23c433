/* SPDX-License-Identifier: MIT */
#include "code/pages.h"

#include <errno.h>

#include "base/mman.h"
#include "code/file.h"
#include "code/memory.h"
#include "space/inside.h"

/* Pages here are numbered from the pool's start. */

static size_t page_of(const struct vms_code *code, size_t unit)
{
	return unit >> code->page_shift;
}

/* The first page that begins at or behind a unit. */
static size_t page_from(const struct vms_code *code, size_t unit)
{
	return page_of(code, unit + ((size_t)1 << code->page_shift) - 1);
}

static size_t unit_of(const struct vms_code *code, size_t page)
{
	return page << code->page_shift;
}

/* --- giving ------------------------------------------------------------------------ */

/*
 * A guard takes no mapping of its own. Where the host has none for the memory of files
 * (Linux before 6.15), the reservation is put there, if so many pages are worth it.
 */
static int bar(const struct vms_code *code, size_t first, size_t end, size_t worth)
{
	const uintptr_t at = vmsi_unit_address(code, unit_of(code, first));
	const size_t length = unit_of(code, end - first) * VMSI_UNIT;
	const enum vms_refusal reason = vmsi_reason();
	const int saved = errno;
	int error = 0;

	if (vms_madvise(code->space, (void *)at, length, MADV_GUARD_INSTALL) == 0)
		return 0;
	if (length < worth)
		error = -errno;
	(void)vmsi_refuse(reason);
	errno = saved;
	return error ? error : vmsi_code_cover(code, at, length);
}

/* Pages [first, end), which have memory and no block. */
static void give_run(struct vms_code *code, size_t first, size_t end)
{
	const size_t start = unit_of(code, first);

	if (bar(code, first, end, code->granule))
		return;
	vmsi_code_file_punch(code, (uint64_t)start * VMSI_UNIT,
			     unit_of(code, end - first) * VMSI_UNIT);
	vmsi_pages_note(code, start, unit_of(code, end));
}

static void give_pages(struct vms_code *code, size_t first, size_t end)
{
	while (first < end) {
		const size_t from = vmsi_bits_next_clear(code->no_memory, first,
							 end);

		first = vmsi_bits_next_set(code->no_memory, from, end);
		if (from < first)
			give_run(code, from, first);
	}
}

void vmsi_pages_give(struct vms_code *code, size_t start, size_t end)
{
	const size_t limit = unit_of(code, page_from(code, end));
	size_t at = unit_of(code, page_of(code, start));

	if (code->mode == VMS_CODE_FLIPS)
		return;
	while (at < limit) {
		const size_t from = vmsi_bits_next_clear(code->in_block, at,
							 limit);

		at = vmsi_bits_next_set(code->in_block, from, limit);
		give_pages(code, page_from(code, from), page_of(code, at));
	}
}

/* --- taking ------------------------------------------------------------------------ */

int vmsi_pages_need(struct vms_code *code, size_t start, size_t end)
{
	const size_t limit = page_from(code, end);
	size_t at = page_of(code, start);
	int error = 0;

	while (code->pages_without && at < limit && !error) {
		const size_t from = vmsi_bits_next_set(code->no_memory, at,
						       limit);

		at = vmsi_bits_next_clear(code->no_memory, from, limit);
		if (from == at)
			continue;
		error = vmsi_pages_map(code, unit_of(code, from),
				       unit_of(code, at));
		if (!error)
			vmsi_pages_forget(code, unit_of(code, from),
					  unit_of(code, at));
	}
	return error;
}

int vmsi_pages_bar(const struct vms_code *code, const struct vmsi_chunk *chunk)
{
	const size_t limit = page_of(code, chunk->end);
	size_t at = page_of(code, chunk->start);
	int error = 0;

	while (at < limit && !error) {
		const size_t from = vmsi_bits_next_set(code->no_memory, at,
						       limit);

		at = vmsi_bits_next_clear(code->no_memory, from, limit);
		if (from < at)
			error = bar(code, from, at, 0);
	}
	return error;
}

/* --- noting ------------------------------------------------------------------------ */

void vmsi_pages_note(struct vms_code *code, size_t start, size_t end)
{
	vmsi_bits_set(code->no_memory, page_of(code, start), page_of(code, end));
	code->pages_without += page_of(code, end - start);
}

void vmsi_pages_forget(struct vms_code *code, size_t start, size_t end)
{
	const size_t limit = page_of(code, end);
	size_t at = page_of(code, start);

	while (at < limit) {
		const size_t from = vmsi_bits_next_set(code->no_memory, at,
						       limit);

		at = vmsi_bits_next_clear(code->no_memory, from, limit);
		vmsi_bits_clear(code->no_memory, from, at);
		code->pages_without -= at - from;
	}
}
