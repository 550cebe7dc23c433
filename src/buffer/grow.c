/* SPDX-License-Identifier: MIT */
#include "buffer/buffer.h"
#include "growth/growth.h"
#include "host/host.h"
#include "space/inside.h"

/* Growth: buffers commit ahead; those without a maximum may move. */

#define RW (PROT_READ | PROT_WRITE)

/* --- commit ------------------------------------------------------------------------ */

/*
 * Commit mapping by mapping, so that if one is refused it is known which were
 * committed, and they are uncommitted again. There are several where shrink gave
 * memory back and the host refused MADV_HUGEPAGE for it.
 */
static int commit_in_place(vms_buffer *buffer, size_t end)
{
	const size_t before = buffer->committed;
	int error;

	while (buffer->committed < end) {
		char *piece = buffer->data + buffer->committed;
		size_t length = vmsi_length_in_mapping(
			buffer->space, (uintptr_t)piece,
			end - buffer->committed);

		if (vms_mprotect(buffer->space, piece, length, RW) != 0)
			goto failed;
		buffer->committed += length;
	}
	return 0;

failed:
	error = errno;
	if (buffer->committed > before)
		(void)vmsi_buffer_uncommit(buffer, before);
	errno = error;
	return -1;
}

static int map_first(vms_buffer *buffer, size_t length)
{
	void *data = vms_mmap(buffer->space, NULL, length, RW,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED)
		return -1;
	buffer->data = data;
	buffer->committed = buffer->reserved = length;
	vmsi_buffer_tell(buffer);
	if (length >= vmsi_huge_page_size() ||
	    !vmsi_buffer_has(buffer, VMSI_BUFFER_HUGE))
		vmsi_buffer_advise(buffer, buffer->data, length);
	return 0;
}

static int remap(vms_buffer *buffer, size_t length)
{
	const size_t huge = vmsi_huge_page_size();
	bool becomes_large = vmsi_buffer_has(buffer, VMSI_BUFFER_HUGE) &&
		buffer->committed < huge && length >= huge;
	void *data = MAP_FAILED;
	int earlier = errno;

	/* It moves to a huge page's boundary while it has few pages to move. */
	if (becomes_large &&
	    !vmsi_is_aligned((uintptr_t)buffer->data, huge))
		data = vmsi_remap_aligned(buffer->space, buffer->data,
					  buffer->committed, length, huge);
	if (data == MAP_FAILED)
		data = vms_mremap(buffer->space, buffer->data,
				  buffer->committed, length, MREMAP_MAYMOVE,
				  NULL);
	if (data == MAP_FAILED)
		return -1;
	errno = earlier;
	if (data != buffer->data)
		buffer->moves++;
	buffer->data = data;
	buffer->committed = buffer->reserved = length;
	vmsi_buffer_tell(buffer);
	if (becomes_large)
		vmsi_buffer_advise(buffer, data, length);
	return 0;
}

static int commit_to(vms_buffer *buffer, size_t end)
{
	if (!vmsi_buffer_has(buffer, VMSI_BUFFER_MOVES))
		return commit_in_place(buffer, end);
	return buffer->committed ? remap(buffer, end) : map_first(buffer, end);
}

static size_t usable(const vms_buffer *buffer)
{
	return vmsi_min(buffer->committed, vmsi_buffer_limit(buffer));
}

/* Whether the buffer is so large that it gets huge pages for what it commits. */
static bool has_huge_pages_from_here(const vms_buffer *buffer)
{
	return vmsi_buffer_has(buffer, VMSI_BUFFER_HUGE) &&
		buffer->committed > vmsi_huge_page_size();
}

/* Commit wanted bytes in all, and more ahead of use unless that is refused. */
static int commit(vms_buffer *buffer, size_t wanted)
{
	const size_t limit = vmsi_buffer_limit(buffer);
	size_t least, ahead;
	int earlier = errno;

	if (wanted > limit)
		return vmsi_status(vmsi_refuse(VMS_REFUSAL_ADDRESSES));
	if (wanted <= buffer->committed)
		return 0;
	least = vmsi_align_up(wanted, vmsi_page_size());
	ahead = vmsi_growth_from_small(
		wanted, vmsi_align_up(limit, vmsi_page_size()));
	if (commit_to(buffer, ahead) != 0) {
		if (ahead == least || commit_to(buffer, least) != 0)
			return -1;
		errno = earlier;
	}
	if (has_huge_pages_from_here(buffer))
		buffer->room = usable(buffer);
	return 0;
}

/* --- room -------------------------------------------------------------------------- */

/*
 * Populate the small pages that are about to be written, from room on, and raise
 * room to their end. A caller that asks for a few pages will fill them. One that
 * asks for more than VMSI_GROWTH_POPULATE_MOST may leave most of them untouched,
 * so only as much is populated as for one that asks for a byte.
 */
static void open_room(vms_buffer *buffer, size_t wanted)
{
	size_t needed = wanted - buffer->room;

	if (needed > VMSI_GROWTH_POPULATE_MOST)
		needed = 0;
	buffer->room = vmsi_growth_populate((uintptr_t)buffer->data,
					    buffer->room, needed,
					    usable(buffer));
	buffer->room = vmsi_max(buffer->room, wanted);
}

int vms_buffer_make_room(vms_buffer *buffer, size_t length)
{
	uintptr_t wanted;

	if (vmsi_buffer_enter(buffer) != 0)
		return -1;
	if (!vmsi_add(buffer->size, length, &wanted))
		return vmsi_status(vmsi_refuse(VMS_REFUSAL_ADDRESSES));
	if (wanted <= buffer->room)
		return 0;
	if (commit(buffer, wanted) != 0)
		return -1;
	if (buffer->room < wanted)
		open_room(buffer, wanted);
	return 0;
}

int vms_buffer_reserve(vms_buffer *buffer, size_t size)
{
	if (vmsi_buffer_enter(buffer) != 0)
		return -1;
	return commit(buffer, size);
}

int vms_buffer_resize(vms_buffer *buffer, size_t size)
{
	if (vmsi_buffer_enter(buffer) != 0)
		return -1;
	if (size <= buffer->size)
		return vms_buffer_truncate(buffer, size);
	if (commit(buffer, size) != 0)
		return -1;
	if (buffer->dirty > buffer->size)
		memset(buffer->data + buffer->size, 0,
		       vmsi_min(buffer->dirty, size) - buffer->size);
	buffer->size = size;
	buffer->room = vmsi_max(buffer->room, size);
	return 0;
}
