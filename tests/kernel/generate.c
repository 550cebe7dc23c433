/* SPDX-License-Identifier: MIT */
#include "generate.h"

#include <string.h>
#include <sys/mman.h>

#define ARENA_START 64
#define ARENA_PAGES 96
#define STACKS_START 4096
#define STACKS_PAGES 2048
#define MAPPED_MOST 3000 /* pages, then something is unmapped */
#define ENTRIES_MOST 160

static size_t below(struct generator *g, size_t limit)
{
	return random_below(&g->random, limit);
}

static bool percent(struct generator *g, unsigned chance)
{
	return random_percent(&g->random, chance);
}

/* Choose one of the values by its weight: weight, value, ... 0. */
static int choose(struct generator *g, const int *weights)
{
	int sum = 0, pick;

	for (const int *w = weights; *w != 0; w += 2)
		sum += *w;
	pick = (int)below(g, (size_t)sum);
	while (pick >= *weights) {
		pick -= *weights;
		weights += 2;
	}
	return weights[1];
}

#define CHOOSE(g, ...) choose(g, (const int[]){ __VA_ARGS__, 0 })

/* Places. */

static const struct layout_entry *any_entry(struct generator *g)
{
	if (g->layout->count == 0)
		return NULL;
	return &g->layout->entries[below(g, g->layout->count)];
}

static size_t arena_page(struct generator *g)
{
	if (percent(g, 7))
		return STACKS_START + below(g, STACKS_PAGES);
	return ARENA_START + below(g, ARENA_PAGES);
}

static size_t near_entry(struct generator *g, const struct layout_entry *e)
{
	size_t first = e->start / g->page, last = e->end / g->page - 1;

	switch (below(g, 6)) {
	case 0:
	case 1:
		return first;
	case 2:
		return first > 0 ? first - 1 - below(g, first < 4 ? first : 4) :
				   0;
	case 3:
		return last + 1;
	default:
		return first + below(g, last - first + 1);
	}
}

static size_t window_page(struct generator *g)
{
	const struct layout_entry *e = any_entry(g);
	size_t page;

	if (e == NULL || percent(g, 30))
		return arena_page(g);
	page = near_entry(g, e);
	return page < g->window / g->page ? page : g->window / g->page - 1;
}

static struct place good_place(struct generator *g)
{
	return (struct place){ PLACE_WINDOW, window_page(g) * g->page };
}

static struct place bad_place(struct generator *g)
{
	static const uintptr_t places[] = {
		(uintptr_t)1 << 62, (uintptr_t)-65536, (uintptr_t)-65535,
		(uintptr_t)1 << 63,
	};
	struct place place = good_place(g);

	if (percent(g, 50)) {
		place.offset += 1 + below(g, g->page - 1);
		return place;
	}
	place.kind = PLACE_ABSOLUTE;
	place.offset = places[below(g, sizeof places / sizeof *places)];
	return place;
}

static struct place any_place(struct generator *g)
{
	return percent(g, 4) ? bad_place(g) : good_place(g);
}

/* Lengths. */

static size_t small_length(struct generator *g)
{
	size_t length = (1 + below(g, percent(g, 15) ? 40 : 8)) * g->page;

	return percent(g, 12) ? length - below(g, g->page) : length;
}

static size_t to_the_end_of_entry(struct generator *g, struct place place)
{
	const struct layout_entry *e = layout_at(g->layout, place.offset);

	if (place.kind != PLACE_WINDOW || e == NULL)
		return small_length(g);
	return e->end - (place.offset & ~(g->page - 1));
}

/*
 * Lengths that end past the address space are for calls that check the whole range
 * first: madvise would go on behind the window.
 */
static size_t bad_length(struct generator *g)
{
	static const size_t lengths[] = {
		0, 0, (size_t)-65536, (size_t)-1, (size_t)-131072,
		(size_t)1 << 62, (size_t)1 << 63,
	};
	bool whole = g->kind == OP_MMAP || g->kind == OP_MUNMAP ||
		     g->kind == OP_MREMAP;

	return lengths[below(g, whole ? 7 : 5)];
}

/* Cut a length so that it ends in the window or far beyond its end. */
static size_t in_window(struct generator *g, struct place place, size_t length)
{
	size_t room;

	if (place.kind == PLACE_ABSOLUTE || length > (size_t)1 << 56)
		return length;
	room = g->window - ((place.offset + g->page - 1) & ~(g->page - 1));
	return length < room ? length : room;
}

static size_t any_length(struct generator *g, struct place place)
{
	size_t length;

	if (percent(g, 4))
		length = bad_length(g);
	else if (percent(g, 35))
		length = to_the_end_of_entry(g, place);
	else
		length = small_length(g);
	return in_window(g, place, length);
}

/* Calls. */

static int any_prot(struct generator *g)
{
	int prot = CHOOSE(g, 55, PROT_READ | PROT_WRITE, 15, PROT_READ, 12,
			  PROT_NONE, 5, PROT_WRITE, 5, PROT_READ | PROT_EXEC, 3,
			  PROT_READ | PROT_WRITE | PROT_EXEC);

	return percent(g, 1) ? prot | 0x1000 : prot;
}

static int any_file(struct generator *g)
{
	return CHOOSE(g, 30, FILE_MEMORY, 30, FILE_DISK, 12, FILE_READER, 2,
		      FILE_WRITER, 6, FILE_SEALED, 1, FILE_DIRECTORY, 1,
		      FILE_PATH, 1, FILE_PIPE, 2, FILE_NONE);
}

static int any_sharing(struct generator *g)
{
	return CHOOSE(g, 55, MAP_PRIVATE | MAP_ANONYMOUS, 12,
		      MAP_SHARED | MAP_ANONYMOUS, 15, MAP_PRIVATE, 14,
		      MAP_SHARED, 2, MAP_SHARED_VALIDATE, 1, MAP_ANONYMOUS, 1,
		      MAP_SHARED_VALIDATE | MAP_ANONYMOUS, 1, 0, 1,
		      0x08 | MAP_ANONYMOUS);
}

static int any_map_flags(struct generator *g)
{
	static const struct {
		unsigned chance;
		int flag;
	} extras[] = {
		{ 8, MAP_POPULATE }, { 7, MAP_NORESERVE }, { 3, MAP_LOCKED },
		{ 4, MAP_GROWSDOWN }, { 3, MAP_STACK }, { 1, MAP_NONBLOCK },
		{ 1, 0x800000 },
	};
	int flags = any_sharing(g);

	for (size_t i = 0; i < sizeof extras / sizeof *extras; i++)
		if (percent(g, extras[i].chance))
			flags |= extras[i].flag;
	if (g->features & (unsigned)GENERATE_HUGETLB && percent(g, 1))
		flags |= MAP_HUGETLB;
	return flags;
}

static off_t any_offset(struct generator *g)
{
	if (percent(g, 2))
		return (off_t)(1 + below(g, g->page));
	if (percent(g, 1))
		return (off_t)(((size_t)1 << 63) - g->page);
	return (off_t)(below(g, percent(g, 10) ? 12 : 6) * g->page);
}

/* Without MAP_FIXED the address may be NULL or a hint. */
static struct place map_place(struct generator *g, int flags)
{
	struct place place = any_place(g);

	if (flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) || percent(g, 30))
		return place;
	return (struct place){ PLACE_ABSOLUTE, 0 };
}

static void make_mmap(struct generator *g, struct operation *op)
{
	op->flags = any_map_flags(g);
	op->flags |= CHOOSE(g, 50, MAP_FIXED, 8, MAP_FIXED_NOREPLACE, 1,
			    MAP_FIXED | MAP_FIXED_NOREPLACE, 41, 0);
	op->prot = any_prot(g);
	op->file = op->flags & MAP_ANONYMOUS ? FILE_NONE : any_file(g);
	op->offset = op->flags & MAP_ANONYMOUS && percent(g, 95) ? 0 :
								    any_offset(g);
	op->address = map_place(g, op->flags);
	op->length = any_length(g, op->address);
	if (op->length < (size_t)1 << 40 && percent(g, 1))
		op->length = in_window(g, op->address, (512 + below(g, 300)) *
							       g->page);
}

static int any_mremap_flags(struct generator *g)
{
	return CHOOSE(g, 25, 0, 40, MREMAP_MAYMOVE, 25,
		      MREMAP_MAYMOVE | MREMAP_FIXED, 5,
		      MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 4,
		      MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, 1,
		      MREMAP_FIXED, 1, MREMAP_DONTUNMAP, 1, 8);
}

static size_t any_new_length(struct generator *g, size_t old_length)
{
	size_t grown = old_length + small_length(g);

	if (percent(g, 3) || old_length > g->window)
		return bad_length(g);
	if (percent(g, 40))
		return old_length;
	if (percent(g, 60))
		return grown < g->window / 4 ? grown : old_length;
	return old_length == 0 ? small_length(g) : 1 + below(g, old_length);
}

static void make_mremap(struct generator *g, struct operation *op)
{
	op->flags = any_mremap_flags(g);
	op->address = any_place(g);
	op->length = percent(g, 5) ? 0 : any_length(g, op->address);
	op->new_length = any_new_length(g, op->length);
	op->new_address = (struct place){ PLACE_ABSOLUTE, 0 };
	if (op->flags & MREMAP_FIXED || percent(g, 5))
		op->new_address = any_place(g);
	op->new_length = in_window(g, op->new_address, op->new_length);
	if (op->new_length < (size_t)1 << 56)
		op->new_length = in_window(g, op->address, op->new_length);
}

static void make_mprotect(struct generator *g, struct operation *op)
{
	op->prot = any_prot(g);
	if (percent(g, 2))
		op->prot |= PROT_GROWSDOWN;
	if (percent(g, 1))
		op->prot |= PROT_GROWSUP;
}

static int any_advice(struct generator *g)
{
	static const int advices[] = {
		MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
		MADV_DONTNEED, MADV_DONTNEED, MADV_REMOVE, MADV_DONTFORK,
		MADV_DOFORK, MADV_MERGEABLE, MADV_UNMERGEABLE, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP, MADV_WIPEONFORK,
		MADV_KEEPONFORK, MADV_COLD, MADV_POPULATE_READ,
		MADV_POPULATE_WRITE, 24, 102, 103, 5, 26, 99, -1,
	};

	if (percent(g, 6))
		return g->features & (unsigned)GENERATE_FREE ? MADV_FREE :
							       MADV_PAGEOUT;
	return advices[below(g, sizeof advices / sizeof *advices)];
}

static void make_touch(struct generator *g, struct operation *op)
{
	const struct layout_entry *e = any_entry(g);

	op->address = good_place(g);
	if (e != NULL && percent(g, 80))
		op->address.offset = e->start + below(g, e->end - e->start);
	if (e != NULL && e->flags & VMS_MAPPING_GROWSDOWN && percent(g, 50) &&
	    e->start > 8 * g->page)
		op->address.offset = e->start - below(g, 8 * g->page) - 1;
	op->byte = (unsigned char)(1 + below(g, 255));
}

static void make_truncate(struct generator *g, struct operation *op)
{
	op->file = percent(g, 50) ? FILE_MEMORY : FILE_DISK;
	op->new_length = below(g, 8 * g->page);
}

static void make_unmap_much(struct generator *g, struct operation *op)
{
	const struct layout_entry *e = any_entry(g);

	op->kind = OP_MUNMAP;
	op->address = (struct place){ PLACE_WINDOW, e->start };
	op->length = in_window(g, op->address, 64 * g->page);
	if (op->length < e->end - e->start)
		op->length = e->end - e->start;
}

static size_t mapped_pages(const struct generator *g)
{
	size_t sum = 0;

	for (size_t i = 0; i < g->layout->count; i++)
		sum += g->layout->entries[i].end - g->layout->entries[i].start;
	return sum / g->page;
}

static enum operation_kind any_kind(struct generator *g)
{
	if (g->features & (unsigned)GENERATE_MSEAL && percent(g, 1))
		return OP_MSEAL;
	return (enum operation_kind)CHOOSE(
		g, 24, OP_MMAP, 10, OP_MUNMAP, 20, OP_MREMAP, 11, OP_MPROTECT,
		10, OP_MADVISE, 2, OP_MSYNC, 2, OP_MLOCK, 1, OP_MLOCK2, 2,
		OP_MUNLOCK, 3, OP_MINCORE, 22, OP_TOUCH, 1, OP_TRUNCATE);
}

static void make_range(struct generator *g, struct operation *op)
{
	op->address = any_place(g);
	op->length = any_length(g, op->address);
}

static void make_mincore(struct generator *g, struct operation *op)
{
	op->address = any_place(g);
	op->length = any_length(g, op->address);
	if (op->length < (size_t)1 << 40 &&
	    op->length > MINCORE_PAGES * g->page)
		op->length = MINCORE_PAGES * g->page;
}

static void make_other(struct generator *g, struct operation *op)
{
	make_range(g, op);
	switch (op->kind) {
	case OP_MPROTECT:
		make_mprotect(g, op);
		break;
	case OP_MADVISE:
		op->advice = any_advice(g);
		break;
	case OP_MSYNC:
		op->flags = CHOOSE(g, 60, MS_ASYNC, 4, MS_SYNC, 20,
				   MS_INVALIDATE, 3, MS_SYNC | MS_ASYNC, 3, 8,
				   10, 0);
		break;
	case OP_MLOCK2:
		op->flags = CHOOSE(g, 45, 0, 45, 1, 5, 2);
		break;
	case OP_MSEAL:
		op->flags = percent(g, 5);
		break;
	default:
		break;
	}
}

void generate(struct generator *g, struct operation *op)
{
	(void)memset(op, 0, sizeof *op);
	op->file = FILE_NONE;
	op->kind = any_kind(g);
	g->kind = op->kind;
	if (g->layout->count > ENTRIES_MOST || mapped_pages(g) > MAPPED_MOST)
		make_unmap_much(g, op);
	else if (op->kind == OP_MMAP)
		make_mmap(g, op);
	else if (op->kind == OP_MREMAP)
		make_mremap(g, op);
	else if (op->kind == OP_TOUCH)
		make_touch(g, op);
	else if (op->kind == OP_TRUNCATE)
		make_truncate(g, op);
	else if (op->kind == OP_MINCORE)
		make_mincore(g, op);
	else
		make_other(g, op);
}
