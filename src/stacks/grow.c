/* SPDX-License-Identifier: MIT */
#include "stacks/grow.h"

#include "base/mman.h"
#include "host/host.h"
#include "space/inside.h"
#include "stacks/list.h"

/* Makes slots: their guards, and then their memory. */

/* A pool makes a quarter of what it has, so that little is charged for nothing. */
#define PART 4
#define MOST_AT_ONCE 1024

static size_t some_more(const struct vms_stacks *stacks)
{
	const size_t made = atomic_load(&stacks->made);
	const size_t more = vmsi_max(1, vmsi_min(made / PART, MOST_AT_ONCE));

	return vmsi_min(more, stacks->count - made);
}

/*
 * A guard in memory that is not accessible yet: it can be made again, and does no harm
 * where what follows is refused. The space is told of the first one, after which the
 * host keeps the charge of the mapping as if it was touched.
 */
static int install_guard(struct vms_stacks *stacks, size_t number)
{
	const uintptr_t start = vmsi_slot_start(stacks, number);
	const int earlier = errno;
	int error;

	if (number > 0)
		return (int)vmsi_host.madvise(start, stacks->guard,
					      MADV_GUARD_INSTALL);
	error = vms_madvise(stacks->space, (void *)start, stacks->guard,
			    MADV_GUARD_INSTALL) == 0 ? 0 : -errno;
	errno = earlier;
	return error;
}

/*
 * The host makes no such guards here: memory that is locked has none, older kernels do
 * not know them, and filters of system calls may not; memory that is sealed will refuse
 * the other way, too.
 */
static bool has_none(int error)
{
	return error != -ENOMEM && error != -EAGAIN;
}

/*
 * Make slots that are one mapping, with guards in the page tables. Returns 0, -EINVAL
 * where the host makes no such guards in this memory, or -errno.
 */
static int make_with_guards(struct vms_stacks *stacks, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		int error = install_guard(stacks, i);

		if (error)
			return has_none(error) ? -EINVAL :
				vmsi_refuse(VMS_REFUSAL_HOST);
	}
	return vmsi_protect(stacks->space, vmsi_slot_start(stacks, first),
			    count * stacks->pitch, PROT_READ | PROT_WRITE);
}

/* Make one slot whose guard stays a mapping of its own. */
static int make_between_mappings(struct vms_stacks *stacks, size_t number)
{
	const int error = vmsi_protect(stacks->space,
				       vmsi_slot_base(stacks, number),
				       stacks->size, PROT_READ | PROT_WRITE);

	if (!error)
		atomic_fetch_add(&stacks->guard_mappings, 1);
	return error;
}

/* Make up to count slots. Returns how many, or -errno. */
static long make(struct vms_stacks *stacks, size_t first, size_t count)
{
	int error = stacks->has_guards ?
		make_with_guards(stacks, first, count) : -EINVAL;

	if (!error)
		return (long)count;
	if (error != -EINVAL)
		return error;
	stacks->has_guards = false;
	error = make_between_mappings(stacks, first);
	return error ? error : 1;
}

static void publish(struct vms_stacks *stacks, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++) {
		atomic_store(&stacks->slots[i].next, (uint32_t)i + 2);
		atomic_store(&stacks->slots[i].state,
			     vmsi_slot_word(SLOT_FREE, STAMP_EMPTY));
	}
	atomic_store(&stacks->made, first + count);
	if (count > 1)
		(void)vmsi_list_push(stacks, first + 1, first + count - 1);
}

int vmsi_stacks_grow(struct vms_stacks *stacks, size_t *number)
{
	const size_t first = atomic_load(&stacks->made);
	const size_t count = some_more(stacks);
	long made;

	if (count == 0)
		return -EAGAIN;
	made = make(stacks, first, count);
	if (made == -ENOMEM && count > 1)
		made = make(stacks, first, 1);
	if (made < 0)
		/* EAGAIN: locked memory; to the caller of take it means another thing. */
		return made == -EAGAIN ? -ENOMEM : (int)made;
	publish(stacks, first, (size_t)made);
	*number = first;
	return 0;
}
