/* SPDX-License-Identifier: MIT */
#include "vma_shadow.h"

#include <errno.h>

/* A search may stop only after it has looked at so many gaps in vain. */
#define UNLUCKY_GAPS_MIN 32

static bool merges(const struct shadow_page *a, const struct shadow_page *b)
{
	const struct vmsi_attributes *x = &a->attributes, *y = &b->attributes;

	return a->mapped && b->mapped && x->prot == y->prot &&
		(x->flags | VMSI_HINT_FLAGS) == (y->flags | VMSI_HINT_FLAGS) &&
		x->object == y->object && x->name == y->name &&
		x->page_shift == y->page_shift &&
		(!x->object || a->offset + SHADOW_PAGE == b->offset);
}

size_t shadow_mapping_end(const struct shadow *shadow, size_t page)
{
	while (++page < shadow->pages &&
	       merges(&shadow->page[page - 1], &shadow->page[page]))
		;
	return page;
}

size_t shadow_run_end(const struct shadow *shadow, size_t page)
{
	bool mapped = shadow->page[page].mapped;

	while (++page < shadow->pages && shadow->page[page].mapped == mapped)
		;
	return page;
}

/* Merged mappings have the hints of both, so give every page those of all. */
static void spread_hints(struct shadow *shadow)
{
	size_t end;

	for (size_t first = 0; first < shadow->pages; first = end) {
		uint32_t hints = 0;

		end = shadow_mapping_end(shadow, first);
		for (size_t i = first; i < end; i++)
			hints |= shadow->page[i].attributes.flags &
				VMSI_HINT_FLAGS;
		for (size_t i = first; i < end; i++)
			shadow->page[i].attributes.flags |= hints;
	}
}

void shadow_insert(struct shadow *shadow, size_t first, size_t end,
		   uint64_t offset, const struct vmsi_attributes *attributes)
{
	for (size_t i = first; i < end; i++)
		shadow->page[i] = (struct shadow_page){
			.mapped = true,
			.attributes = *attributes,
			.offset = offset + (i - first) * SHADOW_PAGE,
		};
	spread_hints(shadow);
}

void shadow_erase(struct shadow *shadow, size_t first, size_t end)
{
	for (size_t i = first; i < end; i++)
		shadow->page[i] = (struct shadow_page){ .mapped = false };
}

void shadow_update(struct shadow *shadow, size_t first, size_t end,
		   void (*change)(struct vmsi_attributes *attributes,
				  const void *context),
		   const void *context)
{
	for (size_t i = first; i < end; i++)
		if (shadow->page[i].mapped)
			change(&shadow->page[i].attributes, context);
	spread_hints(shadow);
}

static const char *compare_mapping(const struct shadow *shadow, size_t first,
				   size_t end,
				   const struct vmsi_mapping *mapping)
{
	const struct shadow_page *page = &shadow->page[first];

	if (!mapping)
		return "a mapping is missing";
	if (mapping->start != shadow_address(shadow, first) ||
	    mapping->end != shadow_address(shadow, end))
		return "a mapping has another range";
	if (mapping->attributes.flags != page->attributes.flags)
		return "a mapping has other flags";
	if (mapping->attributes.prot != page->attributes.prot ||
	    mapping->attributes.object != page->attributes.object ||
	    mapping->attributes.name != page->attributes.name ||
	    mapping->attributes.page_shift != page->attributes.page_shift)
		return "a mapping has other attributes";
	if (page->attributes.object && mapping->offset != page->offset)
		return "a mapping has another offset";
	return NULL;
}

const char *shadow_compare(const struct shadow *shadow,
			   const struct vmsi_map *map)
{
	const struct vmsi_mapping *mapping = vmsi_map_find(map, 0), *below = NULL;
	size_t end, mapped = 0, count = 0;

	for (size_t first = 0; first < shadow->pages; first = end) {
		const char *wrong;

		end = shadow_mapping_end(shadow, first);
		if (!shadow->page[first].mapped)
			continue;
		wrong = compare_mapping(shadow, first, end, mapping);
		if (wrong)
			return wrong;
		if (vmsi_map_previous(mapping) != below)
			return "a walk back goes elsewhere";
		mapped += end - first;
		count++;
		below = mapping;
		mapping = vmsi_map_next(mapping);
	}
	if (mapping)
		return "a mapping too many";
	if (map->count != count || map->mapped != mapped * SHADOW_PAGE)
		return "the counts are wrong";
	return NULL;
}

/* Return how many of the free pages [first, end) a search may use. */
static size_t usable(const struct shadow *shadow, size_t first, size_t end)
{
	size_t guard = 0;

	if (end < shadow->pages &&
	    shadow->page[end].attributes.flags & VMSI_GROWSDOWN)
		guard = shadow->guard;
	return end - first > guard ? end - first - guard : 0;
}

/* Find the place in a gap by trying page after page. */
static bool place(const struct shadow *shadow, size_t first, size_t length,
		  const struct vmsi_gap_request *request, uintptr_t *start)
{
	bool grew = first && shadow->page[first - 1].attributes.flags & VMSI_GREW;
	bool low = request->end == VMSI_GAP_LOW && !grew;
	size_t wanted = request->length / SHADOW_PAGE;

	for (size_t i = 0; i + wanted <= length; i++) {
		size_t page = low ? first + i : first + length - wanted - i;

		*start = shadow_address(shadow, page);
		if (((*start - request->residue) & (request->alignment - 1)) == 0)
			return true;
	}
	return false;
}

struct judgement {
	size_t best_gap;      /* pages of the gap of the exact best fit */
	uintptr_t best_start;
	bool found;
	size_t certain;       /* pages that suffice for any alignment */
	size_t certain_gap;   /* pages of the smallest gap with so many; 0: none */
	size_t answer_gap;    /* pages of the gap that the answer is in */
	bool answer_placed;   /* at the right place in it */
};

static void judge_one(const struct shadow *shadow, size_t first, size_t length,
		      const struct vmsi_gap_request *request, uintptr_t answer,
		      struct judgement *judgement)
{
	uintptr_t start;
	bool better;

	if (!place(shadow, first, length, request, &start))
		return;
	/* Gaps are visited in ascending order, so a later one is higher. */
	better = !judgement->found || length < judgement->best_gap ||
		(length == judgement->best_gap && request->end == VMSI_GAP_HIGH);
	if (better) {
		judgement->found = true;
		judgement->best_gap = length;
		judgement->best_start = start;
	}
	if (length >= judgement->certain &&
	    (!judgement->certain_gap || length < judgement->certain_gap))
		judgement->certain_gap = length;
	if (start == answer) {
		judgement->answer_gap = length;
		judgement->answer_placed = true;
	}
}

/* Count the gaps between both sizes that have no aligned place. */
static size_t unlucky_gaps(const struct shadow *shadow,
			   const struct vmsi_gap_request *request, size_t limit)
{
	size_t unlucky = 0, end;
	uintptr_t start;

	for (size_t first = 0; first < shadow->pages; first = end) {
		size_t length;

		end = shadow_run_end(shadow, first);
		if (shadow->page[first].mapped)
			continue;
		length = usable(shadow, first, end);
		unlucky += length * SHADOW_PAGE >= request->length &&
			length <= limit &&
			!place(shadow, first, length, request, &start);
	}
	return unlucky;
}

const char *shadow_judge_gap(const struct shadow *shadow,
			     const struct vmsi_gap_request *request, int error,
			     uintptr_t start)
{
	struct judgement judgement = {
		.certain = request->length / SHADOW_PAGE +
			request->alignment / SHADOW_PAGE - 1,
	};
	size_t end;

	for (size_t first = 0; first < shadow->pages; first = end) {
		end = shadow_run_end(shadow, first);
		if (!shadow->page[first].mapped)
			judge_one(shadow, first, usable(shadow, first, end),
				  request, error ? 0 : start, &judgement);
	}
	if (error && error != -ENOMEM)
		return "an error that is not ENOMEM";
	if (!error && !judgement.answer_placed)
		return "a place that is not free, not aligned or not at the end";
	if (!judgement.found || (!error && start == judgement.best_start))
		return NULL;
	if (unlucky_gaps(shadow, request, judgement.best_gap) < UNLUCKY_GAPS_MIN)
		return "the best fit was passed over";
	if (judgement.best_gap >= judgement.certain)
		return "a certain best fit was passed over";
	if (judgement.certain_gap &&
	    (error || judgement.answer_gap > judgement.certain_gap))
		return "a gap that is certain to do was passed over";
	return NULL;
}
