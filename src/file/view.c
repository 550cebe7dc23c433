/* SPDX-License-Identifier: MIT */
#include "file/view.h"

#include <stdatomic.h>
#include <stddef.h>

#include "file/handlers.h"
#include "host/host.h"
#include "space/inside.h"

/*
 * Views lie in chunks, each twice as long as the one before, which are never given
 * back. A view has a number, and those that are free are in a stack of numbers. There
 * is no lock: a child of fork(2) would find it held by a thread that it does not have.
 *
 *   free --add--> filled in --file is stored--> known --remove--> free
 *
 * A known view changes its offset at the most. From the instant when its file is
 * taken away until it is free, remove waits for the handlers that may have seen it:
 * so what a handler reads of a view belongs together.
 */
struct vmsi_view {
	struct vms_file *_Atomic file;     /* NULL: not known */
	_Atomic uintptr_t start, end;
	_Atomic uint64_t offset;
	_Atomic uint32_t next_free;        /* its number plus one; 0: none */
	uint32_t number;
};

#define FIRST_CHUNK_VIEWS 64u
#define CHUNKS 24u

static struct vmsi_view *_Atomic chunks[CHUNKS];

/*
 * The stack of free views: the number of the first one, plus one, and above it a
 * count of changes, so that whoever takes a view notices that it was taken and came
 * back meanwhile.
 */
static _Atomic uint64_t free_views;

static uint32_t chunk_views(unsigned chunk)
{
	return FIRST_CHUNK_VIEWS << chunk;
}

/* The number of the first view in a chunk. */
static uint32_t chunk_start(unsigned chunk)
{
	return chunk_views(chunk) - FIRST_CHUNK_VIEWS;
}

static struct vmsi_view *chunk_at(unsigned chunk)
{
	return atomic_load_explicit(&chunks[chunk], memory_order_acquire);
}

static unsigned chunk_of(uint32_t number)
{
	return 31u - (unsigned)__builtin_clz(number / FIRST_CHUNK_VIEWS + 1);
}

static struct vmsi_view *view_of(uint32_t number)
{
	const unsigned chunk = chunk_of(number);

	return chunk_at(chunk) + (number - chunk_start(chunk));
}

/* --- the stack of free views -------------------------------------------------------- */

static uint64_t stack_word(uint64_t earlier, uint32_t first)
{
	return ((earlier >> 32) + 1) << 32 | first;
}

static void put_free(struct vmsi_view *view)
{
	uint64_t head = atomic_load(&free_views);

	do
		atomic_store(&view->next_free, (uint32_t)head);
	while (!atomic_compare_exchange_weak(
		&free_views, &head, stack_word(head, view->number + 1)));
}

static struct vmsi_view *take_free(void)
{
	uint64_t head = atomic_load(&free_views);
	struct vmsi_view *view;

	do {
		if (!(uint32_t)head)
			return NULL;
		view = view_of((uint32_t)head - 1);
	} while (!atomic_compare_exchange_weak(
		&free_views, &head,
		stack_word(head, atomic_load(&view->next_free))));
	return view;
}

static size_t chunk_bytes(unsigned chunk)
{
	return vmsi_align_up(chunk_views(chunk) * sizeof(struct vmsi_view),
			     vmsi_page_size());
}

/* Put a chunk in its place. false: there is none, or another thread was first. */
static bool publish_chunk(unsigned chunk, struct vmsi_view *views)
{
	struct vmsi_view *none = NULL;

	for (uint32_t i = 0; i < chunk_views(chunk); i++)
		views[i].number = chunk_start(chunk) + i;
	return atomic_compare_exchange_strong(&chunks[chunk], &none, views);
}

/* Make more views free. false: no memory. */
static bool make_views(void)
{
	unsigned chunk = 0;
	struct vmsi_view *views;

	while (chunk < CHUNKS && chunk_at(chunk))
		chunk++;
	if (chunk == CHUNKS)
		return false;
	views = vmsi_records_get(NULL, chunk_bytes(chunk));
	if (!views)
		return false;
	if (!publish_chunk(chunk, views)) {
		vmsi_records_put(NULL, views, chunk_bytes(chunk));
		return true;
	}
	for (uint32_t i = chunk_views(chunk); i-- > 0;)
		put_free(views + i);
	return true;
}

/* --- for whoever has the lock of the file ----------------------------------------- */

struct vmsi_view *vmsi_view_add(struct vms_file *file, struct vmsi_range range,
				uint64_t offset)
{
	struct vmsi_view *view;

	while (!(view = take_free()))
		if (!make_views())
			return NULL;
	atomic_store(&view->start, range.start);
	atomic_store(&view->end, range.end);
	atomic_store(&view->offset, offset);
	atomic_store(&view->file, file);
	return view;
}

void vmsi_view_move(struct vmsi_view *view, uint64_t offset)
{
	atomic_store(&view->offset, offset);
}

void vmsi_view_remove(struct vmsi_view *view)
{
	atomic_store(&view->file, NULL);
	vmsi_handlers_wait();
	put_free(view);
}

/* --- looking views up ------------------------------------------------------------ */

static bool read_view(const struct vmsi_view *view, struct vmsi_shown *shown)
{
	shown->file = atomic_load(&view->file);
	if (!shown->file)
		return false;
	shown->range = (struct vmsi_range){ atomic_load(&view->start),
					    atomic_load(&view->end) };
	shown->offset = atomic_load(&view->offset);
	return true;
}

/* The next view that is known, from *place on. */
static bool next_known(uint32_t *place, struct vmsi_shown *shown)
{
	const uint32_t end = chunk_start(CHUNKS - 1);

	while (*place < end && chunk_at(chunk_of(*place)))
		if (read_view(view_of((*place)++), shown))
			return true;
	return false;
}

bool vmsi_view_find(uintptr_t address, struct vmsi_shown *shown)
{
	uint32_t place = 0;

	while (next_known(&place, shown))
		if (address >= shown->range.start && address < shown->range.end)
			return true;
	return false;
}

bool vmsi_view_next(const struct vms_file *file, uint32_t *place,
		    struct vmsi_shown *shown)
{
	while (next_known(place, shown))
		if (shown->file == file)
			return true;
	return false;
}
