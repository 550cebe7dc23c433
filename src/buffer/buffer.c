/* SPDX-License-Identifier: MIT */
#include <vmspace/stat.h>

#include "base/panic.h"
#include "base/versioned.h"
#include "buffer/buffer.h"
#include "growth/growth.h"
#include "host/host.h"
#include "space/inside.h"

/* Init, figures, and what the other files of src/buffer share. */

/* --- for all calls ------------------------------------------------------------- */

#ifdef VMSI_DEBUG
static void check_fields(const vms_buffer *buffer)
{
	if (!buffer->data || buffer->size > buffer->room ||
	    buffer->room > buffer->committed ||
	    buffer->room > vmsi_buffer_limit(buffer) ||
	    buffer->dirty > buffer->committed ||
	    buffer->committed > buffer->reserved)
		vmsi_panic("invariant B1: a buffer's fields are not in order");
}
#endif

int vmsi_buffer_enter(const vms_buffer *buffer)
{
	if (!buffer || !buffer->space)
		return vmsi_status(-EINVAL);
#ifdef VMSI_DEBUG
	check_fields(buffer);
#endif
	return 0;
}

bool vmsi_buffer_is_mapped(vms_space *space, const void *start, size_t length)
{
	const uintptr_t from = (uintptr_t)start;

	return vmsi_is_mapped(space, (struct vmsi_range){ from, from + length });
}

int vmsi_buffer_unmap(vms_space *space, void *start, size_t length)
{
	int earlier = errno;

	if (length == 0 || vms_munmap(space, start, length) == 0)
		return 0;
	if (vmsi_buffer_is_mapped(space, start, length))
		return -1;
	errno = earlier;
	return 0;
}

void vmsi_buffer_advise(const vms_buffer *buffer, char *start, size_t length)
{
	int earlier = errno;

	(void)vms_madvise(buffer->space, start, length,
			  vmsi_buffer_has(buffer, VMSI_BUFFER_HUGE) ?
				  MADV_HUGEPAGE : MADV_NOHUGEPAGE);
	errno = earlier;
}

void vmsi_buffer_tell(const vms_buffer *buffer)
{
	const uintptr_t start = (uintptr_t)buffer->data;

	if (!buffer->sign)
		return;
	if (buffer->reserved == 0)
		vmsi_space_tell_no_more(buffer->sign);
	else
		vmsi_space_tell_part(buffer->space, buffer->sign,
				     (struct vmsi_range){
					     start, start + buffer->reserved,
				     },
				     VMSI_SIGN_BUFFERS, NULL);
}

/* --- init ------------------------------------------------------------------------ */

static bool options_are_good(const struct vms_buffer_options *options,
			     size_t maximum)
{
	return !(options->flags & ~VMS_BUFFER_SMALL_PAGES) &&
		(!options->budget || (maximum && !options->space));
}

/*
 * How many bytes to reserve for a maximum: a page more, so that a write beyond it
 * faults; in whole huge pages, if that is at least one.
 */
static int bytes_to_reserve(size_t maximum, size_t *bytes)
{
	uintptr_t end;

	if (!vmsi_add(maximum, vmsi_page_size(), &end) ||
	    !vmsi_align_up_checked(end, vmsi_page_size(), &end))
		return -ENOMEM;
	if (end >= vmsi_huge_page_size() &&
	    !vmsi_align_up_checked(end, vmsi_huge_page_size(), &end))
		return -ENOMEM;
	*bytes = end;
	return 0;
}

/*
 * Reserve addresses in the buffer's space. Not with MAP_NORESERVE: what becomes
 * writable is to be charged.
 */
static int reserve_in_space(vms_buffer *buffer)
{
	void *data = vms_mmap(buffer->space, NULL, buffer->reserved, PROT_NONE,
			      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (data == MAP_FAILED)
		return -1;
	buffer->data = data;
	vmsi_buffer_advise(buffer, buffer->data, buffer->reserved);
	return 0;
}

static int reserve_in_own_space(vms_buffer *buffer, struct vms_budget *budget)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.name = "buffer",
		.commit_policy = VMS_COMMIT_ALWAYS,
		.budget = budget,
	};
	int error;

	buffer->space = vms_space_open(buffer->reserved, &options);
	if (!buffer->space)
		return -1;
	vmsi_space_tell(buffer->space, VMSI_SIGN_BUFFERS, NULL);
	buffer->flags |= VMSI_BUFFER_OWN_SPACE;
	if (reserve_in_space(buffer) == 0)
		return 0;
	error = errno;
	(void)vms_space_close(buffer->space);
	errno = error;
	return -1;
}

static int reserve_somewhere(vms_buffer *buffer, struct vms_budget *budget)
{
	int earlier = errno;

	/* The shared space has the buffers of others too, so it has no budget. */
	if (budget)
		return reserve_in_own_space(buffer, budget);
	buffer->space = vmsi_buffer_shared_space();
	if (buffer->space && reserve_in_space(buffer) == 0)
		return 0;
	if (reserve_in_own_space(buffer, NULL) != 0)
		return -1;
	errno = earlier;
	return 0;
}

static int init_fixed(vms_buffer *buffer, size_t maximum,
		      struct vms_budget *budget)
{
	buffer->maximum = maximum;
	if (bytes_to_reserve(maximum, &buffer->reserved) != 0)
		return vmsi_status(vmsi_refuse(VMS_REFUSAL_ADDRESSES));
	return buffer->space ? reserve_in_space(buffer) :
			       reserve_somewhere(buffer, budget);
}

static int init_moving(vms_buffer *buffer)
{
	buffer->flags |= VMSI_BUFFER_MOVES;
	if (!buffer->space)
		buffer->space = vmsi_buffer_shared_space();
	if (!buffer->space)
		return -1;
	buffer->data = vms_space_base(buffer->space);
	return 0;
}

int vms_buffer_init(vms_buffer *buffer, size_t maximum,
		    const struct vms_buffer_options *options)
{
	struct vms_buffer_options known = { 0 };
	struct vms_budget *budget;
	vms_buffer made = { 0 };
	int error = options ? vmsi_take_options(&known, sizeof(known),
						VMSI_FIRST_BUFFER_OPTIONS,
						options) : 0;

	if (!buffer || (!error && !options_are_good(&known, maximum)))
		error = -EINVAL;
	if (error)
		return vmsi_status(error);
	made.space = known.space;
	made.flags = known.flags;
	budget = known.budget;
	if (!(made.flags & VMS_BUFFER_SMALL_PAGES) &&
	    vmsi_growth_has_huge_pages())
		made.flags |= VMSI_BUFFER_HUGE;
	if ((maximum ? init_fixed(&made, maximum, budget) :
		       init_moving(&made)) != 0)
		return -1;
	/* Without memory for a sign others take it for the space. */
	if (known.space)
		made.sign = vmsi_space_sign_get();
	vmsi_buffer_tell(&made);
	*buffer = made;
	return 0;
}

/* --- figures ---------------------------------------------------------------------- */

int vms_buffer_get_stats(const vms_buffer *buffer,
			 struct vms_buffer_stats *stats)
{
	struct vms_buffer_stats known;
	int error = buffer && stats ?
		vmsi_check_struct_size(stats->struct_size,
				       VMSI_FIRST_BUFFER_STATS) : -EINVAL;

	if (error)
		return vmsi_status(error);
	known = (struct vms_buffer_stats){
		.size = buffer->size,
		.committed = buffer->committed,
		.reserved = buffer->reserved,
		.maximum = buffer->maximum,
		.moves = buffer->moves,
	};
	vmsi_give_figures(stats, &known, sizeof(known));
	return 0;
}

int vms_stat_buffer(const vms_buffer *buffer, unsigned flags, struct vms_stat *stat)
{
	struct vms_stat known = { .known = VMS_STAT_RESERVED | VMS_STAT_COMMITTED };
	int error = vmsi_stat_check(buffer, flags, stat);
	struct vmsi_range range;

	if (error)
		return vmsi_status(error);
	known.reserved = buffer->reserved;
	known.committed = buffer->committed;
	if (buffer->maximum) {
		known.known |= VMS_STAT_LIMIT;
		known.limit = buffer->maximum;
	}
	range.start = (uintptr_t)buffer->data;
	range.end = range.start + buffer->committed;
	error = vmsi_stat_pages(buffer->space, range, flags, &known);
	return vmsi_stat_give(error, &known, stat);
}
