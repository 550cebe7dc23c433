/* SPDX-License-Identifier: MIT */
#include "older.h"

#include <sys/mman.h>

#include "caller.h"
#include "peer.h"

void older_ask(struct older *older)
{
	older->moves_one = !kernel_moves_several();
	older->populates_past_holes = !kernel_populates_to_hole();
}

/*
 * Kernels whose mremap moves only one mapping look for the source before they check
 * lengths and target, and unmap the target before they check the length of the
 * source. Such calls are compared only if the source and the lengths are right.
 */
static bool remap_differs(const struct operation *op,
			  const struct layout *layout, size_t page)
{
	const struct layout_entry *e = op->address.kind == PLACE_WINDOW ?
		layout_at(layout, op->address.offset) : NULL;
	size_t length = (op->length + page - 1) & ~(page - 1);
	size_t new_length = (op->new_length + page - 1) & ~(page - 1);

	if (length > WINDOW || new_length > WINDOW)
		return true;
	if (op->flags & MREMAP_DONTUNMAP && op->length != op->new_length &&
	    length == new_length)
		return true;
	/* They also unmap the tail of a mapping that shrinks before all that. */
	if (!(op->flags & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		return e == NULL && new_length < length;
	if (e == NULL || (length == 0 && !e->shared))
		return true;
	return (length < new_length ? length : new_length) >
		e->end - op->address.offset;
}

/* Kernels that populate past a hole find other faults behind it. */
static bool populates_past_hole(const struct operation *op,
				const struct layout *layout)
{
	const struct layout_entry *e = NULL;
	size_t end = op->address.offset + op->length;

	if ((op->advice != MADV_POPULATE_READ &&
	     op->advice != MADV_POPULATE_WRITE) ||
	    op->address.kind != PLACE_WINDOW || op->length > WINDOW)
		return false;
	for (size_t at = op->address.offset; at < end; at = e->end) {
		e = layout_at(layout, at);
		if (e == NULL)
			return true;
	}
	return false;
}

bool older_differs(const struct older *older, const struct operation *op,
		   const struct layout *layout, size_t page)
{
	if (op->kind == OP_MREMAP && older->moves_one)
		return remap_differs(op, layout, page);
	if (op->kind == OP_MADVISE && older->populates_past_holes)
		return populates_past_hole(op, layout);
	return false;
}
