/* SPDX-License-Identifier: MIT */
#include "buffer/buffer.h"
#include "host/host.h"
#include "space/inside.h"

/* Giving memory back: shrink, free, detach. */

/* What a buffer keeps of its memory: the pages in use, even part of a huge page. */
static size_t kept_by(const vms_buffer *buffer)
{
	return vmsi_align_up(buffer->size, vmsi_page_size());
}

/* --- shrink -------------------------------------------------------------------------- */

static void cut_at(vms_buffer *buffer, size_t end)
{
	buffer->committed = end;
	buffer->room = vmsi_min(buffer->room, end);
	buffer->dirty = vmsi_min(buffer->dirty, end);
}

static int shrink_moving(vms_buffer *buffer, size_t keep)
{
	if (vmsi_buffer_unmap(buffer->space, buffer->data + keep,
			      buffer->committed - keep) != 0)
		return -1;
	cut_at(buffer, keep);
	buffer->reserved = keep;
	if (keep == 0)
		buffer->data = vms_space_base(buffer->space);
	vmsi_buffer_tell(buffer);
	return 0;
}

/*
 * Reserve addresses of the buffer again, which the host has unmapped although it
 * answered an error (as mmap before Linux 6.12 may). If that is refused, the
 * buffer ends before them from now on.
 */
static void reserve_again(vms_buffer *buffer, size_t from)
{
	char *start = buffer->data + from;
	size_t lost = buffer->committed;

	if (vms_mmap(buffer->space, start, lost - from, PROT_NONE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1,
		     0) != MAP_FAILED)
		return;
	(void)vms_munmap(buffer->space, buffer->data + lost,
			 buffer->reserved - lost);
	buffer->reserved = from;
	buffer->maximum = vmsi_min(buffer->maximum, from);
	vmsi_buffer_tell(buffer);
}

int vmsi_buffer_uncommit(vms_buffer *buffer, size_t keep)
{
	char *start = buffer->data + keep;
	size_t length = buffer->committed - keep;
	int earlier = errno;

	if (vms_decommit(buffer->space, start, length,
			 VMS_DECOMMIT_UNCHARGE) != 0) {
		if (vmsi_buffer_is_mapped(buffer->space, start, length))
			return -1;
		reserve_again(buffer, keep);
		errno = earlier;
	}
	cut_at(buffer, keep);
	/* It is a new mapping, without the advice given before. */
	if (buffer->reserved > keep)
		vmsi_buffer_advise(buffer, start, length);
	return 0;
}

int vms_buffer_shrink(vms_buffer *buffer)
{
	size_t keep;

	if (vmsi_buffer_enter(buffer) != 0)
		return -1;
	keep = kept_by(buffer);
	if (keep == buffer->committed)
		return 0;
	return vmsi_buffer_has(buffer, VMSI_BUFFER_MOVES) ?
		shrink_moving(buffer, keep) :
		vmsi_buffer_uncommit(buffer, keep);
}

/* --- free ---------------------------------------------------------------------------- */

/* Give back a range of a space, or the space if it is the buffer's own. */
static int give_back(vms_space *space, unsigned flags, void *start,
		     size_t length)
{
	if (flags & VMSI_BUFFER_OWN_SPACE)
		return vms_space_close(space);
	return vmsi_buffer_unmap(space, start, length);
}

int vms_buffer_free(vms_buffer *buffer)
{
	if (!buffer || !buffer->space)
		return 0;
	if (vmsi_buffer_enter(buffer) != 0 ||
	    give_back(buffer->space, buffer->flags, buffer->data,
		      buffer->reserved) != 0)
		return -1;
	vmsi_space_sign_put(buffer->sign);
	*buffer = (vms_buffer){ 0 };
	return 0;
}

/* --- detach -------------------------------------------------------------------------- */

int vms_buffer_detach(vms_buffer *buffer, struct vms_detached *detached)
{
	size_t keep;

	if (!detached || vmsi_buffer_enter(buffer) != 0) {
		errno = EINVAL;
		return -1;
	}
	keep = kept_by(buffer);
	if (keep == 0) {
		if (vms_buffer_free(buffer) != 0)
			return -1;
		*detached = (struct vms_detached){ 0 };
		return 0;
	}
	if (vmsi_buffer_unmap(buffer->space, buffer->data + keep,
			      buffer->reserved - keep) != 0)
		return -1;
	*detached = (struct vms_detached){
		.address = buffer->data,
		.size = buffer->size,
		.length = keep,
		.space = buffer->space,
		.flags = buffer->flags,
	};
	/* The caller may unmap it without asking here. */
	vmsi_space_sign_put(buffer->sign);
	*buffer = (vms_buffer){ 0 };
	return 0;
}

int vms_detached_free(struct vms_detached *detached)
{
	if (!detached || !detached->space)
		return 0;
	if (give_back(detached->space, detached->flags, detached->address,
		      detached->length) != 0)
		return -1;
	*detached = (struct vms_detached){ 0 };
	return 0;
}
