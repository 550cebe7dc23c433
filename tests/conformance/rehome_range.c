/* SPDX-License-Identifier: MIT */
#include "rehome.h"

#include <errno.h>
#include <sys/mman.h>

#include "guard.h"
#include "host/host.h"

/*
 * Calls on a range of memory, and how one that lies on both sides of a border
 * is done so that nobody can tell that it was done in pieces.
 */

#define POPULATE_READ 22  /* MADV_POPULATE_READ, which older libcs lack */
#define POPULATE_WRITE 23

/* The part of a call that concerns a piece of its range. */
static struct vmsi_rehome_call part(const struct vmsi_rehome_call *call,
				    struct vmsi_range range)
{
	struct vmsi_rehome_call piece = *call;

	piece.address = range.start;
	piece.length = vmsi_range_length(range);
	if (call->number == SYS_mincore && range.start > call->address)
		piece.argument += (long)((range.start - call->address) /
					 vmsi_page_size());
	/* Linux follows a stack's mapping down from the first page only. */
	if (range.start > call->address && (call->number == SYS_mprotect ||
					    call->number == SYS_pkey_mprotect))
		piece.argument &= ~(long)PROT_GROWSDOWN;
	return piece;
}

static long do_piece(const struct vmsi_rehome_call *call,
		     const struct vmsi_rehome_piece *piece)
{
	struct vmsi_rehome_call its_part = part(call, piece->range);

	return piece->place == VMSI_REHOME_INSIDE ?
		vmsi_rehome_inside_range(&its_part) :
		vmsi_rehome_kernel_range(&its_part);
}

/* Whether Linux tells of a hole only after it has done what is behind it. */
static bool goes_on_past_holes(const struct vmsi_rehome_call *call)
{
	if (call->number == SYS_msync)
		return true;
	return call->number == SYS_madvise && call->argument != POPULATE_READ &&
		call->argument != POPULATE_WRITE;
}

static long in_order(const struct vmsi_rehome_call *call,
		     const struct vmsi_rehome_piece *pieces, size_t count)
{
	long hole = 0;

	for (size_t i = 0; i < count; i++) {
		long answer = do_piece(call, &pieces[i]);

		if (answer == -ENOMEM && goes_on_past_holes(call))
			hole = answer;
		else if (answer != 0)
			return answer;
	}
	return hole;
}

/*
 * For calls that do all or nothing. The parts outside go first, from the top:
 * the kernel alone knows their seals and the end of the address space. The
 * caller has seen to it that the space does not refuse afterwards.
 */
static long outside_first(const struct vmsi_rehome_call *call,
			  const struct vmsi_rehome_piece *pieces, size_t count)
{
	long answer = 0;

	for (size_t i = count; i-- > 0 && !answer;)
		if (pieces[i].place == VMSI_REHOME_OUTSIDE)
			answer = do_piece(call, &pieces[i]);
	for (size_t i = 0; i < count && !answer; i++)
		if (pieces[i].place == VMSI_REHOME_INSIDE)
			answer = do_piece(call, &pieces[i]);
	return answer;
}

static long unmap_both(const struct vmsi_rehome_call *call,
		       const struct vmsi_rehome_piece *pieces, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (pieces[i].place == VMSI_REHOME_INSIDE &&
		    vmsi_rehome_inside_is_sealed(pieces[i].range))
			return -EPERM;
	return outside_first(call, pieces, count);
}

/*
 * Nothing is sealed where there is a hole; MS_ASYNC does nothing but look.
 * Whether there is such a call, and what it says to the address and the flags,
 * the kernel tells for no memory at all.
 */
static long seal_both(const struct vmsi_rehome_call *call,
		      const struct vmsi_rehome_piece *pieces, size_t count)
{
	struct vmsi_rehome_call ask = *call, look = *call;
	long answer;

	ask.length = 0;
	answer = vmsi_rehome_kernel_range(&ask);
	if (answer)
		return answer;
	look.number = SYS_msync;
	look.argument = MS_ASYNC;
	answer = in_order(&look, pieces, count);
	return answer ? answer : outside_first(call, pieces, count);
}

/*
 * The locked-memory limit is for the whole range, and a range that passes it
 * is not locked in part. The kernel looks at the limit before it looks at
 * addresses, so it is asked for as many bytes at the end of the address space,
 * where the range wraps (EINVAL) if the limit has room for it.
 */
static long lock_both(const struct vmsi_rehome_call *call,
		      const struct vmsi_rehome_piece *pieces, size_t count)
{
	struct vmsi_rehome_call ask = *call;

	ask.address = vmsi_align_down(UINTPTR_MAX, vmsi_page_size());
	ask.length = vmsi_max(pieces[count - 1].range.end -
			      pieces[0].range.start, 2 * vmsi_page_size());

	long answer = vmsi_rehome_kernel_range(&ask);

	if (answer == -ENOMEM || answer == -EPERM)
		return answer;
	return in_order(call, pieces, count);
}

/*
 * Linux writes nothing to the vector where the range ends past the address
 * space, and looks at that before it looks at the vector. It is asked with a
 * vector that is no memory of the program: EFAULT means that the range is good.
 */
static long look_on_both(const struct vmsi_rehome_call *call,
			 const struct vmsi_rehome_piece *pieces, size_t count)
{
	const size_t pages = (pieces[count - 1].range.end -
			      pieces[0].range.start) / vmsi_page_size();
	struct vmsi_rehome_call ask = *call;
	uintptr_t vector_end;
	long answer;

	ask.argument = -1;
	answer = vmsi_rehome_kernel_range(&ask);
	if (answer != -EFAULT)
		return answer;
	/* Where the vector ends comes next. */
	if (!vmsi_add((uintptr_t)call->argument, pages, &vector_end) ||
	    vector_end > vmsi_address_limit())
		return -EFAULT;
	return in_order(call, pieces, count);
}

static long on_both_sides(const struct vmsi_rehome_call *call)
{
	size_t page = vmsi_page_size();
	struct vmsi_rehome_piece pieces[3];
	struct vmsi_range range = {
		.start = vmsi_align_down(call->address, page),
		.end = vmsi_align_up(call->address + call->length, page),
	};
	/* mseal asks the kernel itself. */
	bool any_byte = call->number == SYS_mlock ||
		call->number == SYS_mlock2 || call->number == SYS_munlock ||
		call->number == SYS_mseal;

	if (!any_byte && !vmsi_is_aligned(call->address, page))
		return -EINVAL;

	size_t count = vmsi_rehome_split(range, pieces);

	switch (call->number) {
	case SYS_munmap:
		return unmap_both(call, pieces, count);
	case SYS_mseal:
		return seal_both(call, pieces, count);
	case SYS_mlock:
	case SYS_mlock2:
		return lock_both(call, pieces, count);
	case SYS_mincore:
		return look_on_both(call, pieces, count);
	default:
		return in_order(call, pieces, count);
	}
}

long vmsi_rehome_range(const struct vmsi_rehome_call *call)
{
	struct vmsi_rehome_guard guard;
	long answer;

	switch (vmsi_rehome_place(call->address, call->length)) {
	case VMSI_REHOME_INSIDE:
		vmsi_rehome_count(VMSI_REHOME_SERVED);
		return vmsi_rehome_inside_range(call);
	case VMSI_REHOME_STRADDLES:
		vmsi_rehome_count(VMSI_REHOME_STRADDLING);
		guard = vmsi_rehome_enter();
		answer = on_both_sides(call);
		vmsi_rehome_leave(&guard, 0);
		return answer;
	case VMSI_REHOME_OUTSIDE:
	default:
		vmsi_rehome_count(VMSI_REHOME_PASSED);
		return vmsi_rehome_kernel_range(call);
	}
}
