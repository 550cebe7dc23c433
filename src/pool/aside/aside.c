/* SPDX-License-Identifier: MIT */
#include "pool/aside/aside.h"

#include <errno.h>

#include "base/align.h"
#include "host/host.h"
#include "pool/plain/shield.h"

/* Pages that are put together: those of a batch of writes. */
#define TOGETHER 256

/* Of them at once: what is needed for that is on the stack, maybe of a handler. */
#define AT_ONCE 64

/* --- the memory of it -------------------------------------------------------------------------- */

uint64_t vmsi_aside_places(uint64_t pages)
{
	/* Those that replace others are put before these go. */
	return vmsi_min(pages + TOGETHER, UINT32_MAX - 1);
}

static size_t whole(size_t bytes)
{
	return vmsi_align_up(bytes, vmsi_page_size());
}

static size_t map_bytes(const struct vmsi_aside_plan *plan)
{
	return whole(plan->pages * sizeof(uint32_t));
}

static size_t records_bytes(const struct vmsi_aside_plan *plan)
{
	return plan->has_records ? whole(vmsi_aside_places(plan->pages) *
					 sizeof(struct vmsi_aside_record)) : 0;
}

size_t vmsi_aside_get_bytes(unsigned depth)
{
	return whole(depth * sizeof(struct vmsi_swap_get));
}

size_t vmsi_aside_bytes(const struct vmsi_aside_plan *plan)
{
	return map_bytes(plan) + records_bytes(plan) + vmsi_aside_get_bytes(plan->depth);
}

void vmsi_aside_place(struct vmsi_aside *aside, const struct vmsi_aside_plan *plan,
		      char *start)
{
	aside->places = (_Atomic uint32_t *)start;
	start += map_bytes(plan);
	aside->records = plan->has_records ? (struct vmsi_aside_record *)start : NULL;
	start += records_bytes(plan);
	aside->gets = (struct vmsi_swap_get *)start;
}

/* --- to open and to close ----------------------------------------------------------------------- */

static enum vmsi_swap_codec codec_of(enum vms_pool_codec codec)
{
	switch (codec) {
	case VMS_POOL_ZSTD:
		return VMSI_SWAP_ZSTD;
	case VMS_POOL_RAW:
		return VMSI_SWAP_RAW;
	case VMS_POOL_LZ4:
		break;
	}
	return VMSI_SWAP_LZ4;
}

enum vms_pool_codec vmsi_aside_codec(const struct vmsi_aside *aside)
{
	switch (vmsi_swap_codec(aside->swap)) {
	case VMSI_SWAP_LZ4:
		return VMS_POOL_LZ4;
	case VMSI_SWAP_ZSTD:
		return VMS_POOL_ZSTD;
	case VMSI_SWAP_RAW:
		break;
	}
	return VMS_POOL_RAW;
}

size_t vmsi_aside_least_ram(size_t page_size, enum vms_pool_codec codec)
{
	return vmsi_swap_least_bytes(page_size, codec_of(codec));
}

/* Room for all pages as they are, and a quarter for what of clusters is free. */
static uint64_t file_bytes(const struct vms_pool_options *options, uint64_t pages)
{
	size_t bytes;

	if (options->swap_bytes)
		return options->swap_bytes;
	if (!vmsi_multiply(pages + TOGETHER, options->page_size + 64, &bytes) ||
	    !vmsi_add(bytes, bytes / 4 + 32 * VMSI_SWAP_PAGE_MOST, &bytes))
		return INT64_MAX;
	return bytes;
}

int vmsi_aside_open(struct vmsi_aside *aside, const struct vms_pool_options *options,
		    uint64_t pages, size_t ram, size_t ram_most, struct vmsi_io *io)
{
	const struct vmsi_swap_options wanted = {
		.path = options->swap_path,
		.file_bytes = file_bytes(options, pages),
		.page_bytes = options->page_size,
		.places = vmsi_aside_places(pages),
		.ram_bytes = ram,
		.ram_most = ram_most,
		.codec = codec_of(options->swap_codec),
		.level = options->swap_level,
		.io = io,
		.is_alone = vmsi_shield_is_fault,
	};
	int error = vmsi_swap_open(&wanted, &aside->swap);

	if (error)
		return error;
	/* What was not asked for by name may be had without compression. */
	if (options->swap_codec && vmsi_swap_codec(aside->swap) != wanted.codec) {
		vmsi_aside_close(aside);
		return -ENOTSUP;
	}
	aside->page_shift = (unsigned)__builtin_ctzll(options->page_size);
	return 0;
}

void vmsi_aside_close(struct vmsi_aside *aside)
{
	if (aside->swap)
		vmsi_swap_close(aside->swap);
	aside->swap = NULL;
}

/* --- to read ------------------------------------------------------------------------------------- */

static uint64_t place_of(const struct vmsi_aside *aside, uint64_t page)
{
	return atomic_load_explicit(&aside->places[page], memory_order_relaxed) - 1;
}

struct vmsi_aside_record *vmsi_aside_record(const struct vmsi_aside *aside, uint64_t page)
{
	const uint32_t place = atomic_load_explicit(&aside->places[page],
						    memory_order_relaxed);

	return place ? &aside->records[place - 1] : NULL;
}

/* The caller takes -EAGAIN for a call to make again at once. */
static int error_of(int error)
{
	return error == -EAGAIN ? -EIO : error;
}

int vmsi_aside_read(const struct vmsi_aside *aside, uint64_t page, void *buffer)
{
	return error_of(vmsi_swap_get(aside->swap, place_of(aside, page), buffer));
}

bool vmsi_aside_begin_read(const struct vmsi_aside *aside, uint64_t page, void *buffer,
			   unsigned number, struct vmsi_io_request *request, int *error)
{
	struct vmsi_swap_get *get = &aside->gets[number];

	*get = (struct vmsi_swap_get){ .place = place_of(aside, page), .buffer = buffer };
	if (vmsi_swap_begin_get(aside->swap, get, request))
		return true;
	*error = error_of(get->error);
	return false;
}

/* The parts of a request are in its get. */
int vmsi_aside_end_read(const struct vmsi_aside *aside,
			const struct vmsi_io_request *request)
{
	struct vmsi_swap_get *get = (struct vmsi_swap_get *)(uintptr_t)
		((uintptr_t)request->parts - offsetof(struct vmsi_swap_get, parts));

	return error_of(vmsi_swap_end_get(aside->swap, get));
}

/* --- to put ---------------------------------------------------------------------------------------- */

/* The page has its new place before anybody can have the old one. */
static void give_place(struct vmsi_aside *aside, uint64_t page, uint64_t place)
{
	const uint32_t before = atomic_exchange_explicit(
		&aside->places[page], (uint32_t)place + 1, memory_order_relaxed);

	if (before)
		vmsi_swap_free(aside->swap, before - 1);
}

/* All of them, or as many as there is room for one by one. */
static size_t put(struct vmsi_aside *aside, const void *const *pages, size_t count,
		  uint64_t *places, int *error)
{
	size_t done = 0;

	*error = vmsi_swap_put(aside->swap, pages, count, places);
	if (!*error)
		return count;
	while (done < count) {
		*error = vmsi_swap_put(aside->swap, &pages[done], 1, &places[done]);
		if (*error)
			break;
		done++;
	}
	*error = error_of(*error);
	return done;
}

/* Up to AT_ONCE pages. */
static size_t put_some(struct vmsi_aside *aside, const uint64_t *pages, const char *bytes,
		       const struct vmsi_aside_record *records, size_t count, int *error)
{
	const void *pointers[AT_ONCE] = { bytes };
	uint64_t places[AT_ONCE];
	size_t done;

	for (size_t i = 0; i < count; i++)
		pointers[i] = bytes + (i << aside->page_shift);
	done = put(aside, pointers, count, places, error);
	for (size_t i = 0; i < done; i++) {
		if (aside->records)
			aside->records[places[i]] = records[i];
		give_place(aside, pages[i], places[i]);
	}
	return done;
}

size_t vmsi_aside_put(struct vmsi_aside *aside, const uint64_t *pages, const char *bytes,
		      const struct vmsi_aside_record *records, size_t count, int *error)
{
	size_t done = 0, some = 0, put = 0;

	*error = 0;
	for (; done < count && put == some; done += put) {
		some = vmsi_min(count - done, AT_ONCE);
		put = put_some(aside, &pages[done], bytes + (done << aside->page_shift),
			       records ? &records[done] : NULL, some, error);
	}
	return done;
}

void vmsi_aside_drop(struct vmsi_aside *aside, uint64_t page)
{
	uint32_t before;

	if (!vmsi_aside_has(aside, page))
		return;
	before = atomic_exchange_explicit(&aside->places[page], 0, memory_order_relaxed);
	if (before)
		vmsi_swap_free(aside->swap, before - 1);
}
