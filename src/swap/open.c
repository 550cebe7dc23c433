/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/mman.h>

#include "base/align.h"
#include "host/host.h"
#include "swap/codec.h"
#include "swap/file.h"
#include "swap/memory.h"
#include "swap/object.h"
#include "swap/write.h"

/* Without the page of the host that headers have beside pages that are not compressed. */
#define CLUSTER_MOST ((size_t)1 << 20)
#define CLUSTER_LEAST ((size_t)64 << 10)

/* A cluster has room for so many pages at least, and memory for so many clusters. */
#define PAGES_LEAST 4u
#define CLUSTERS_USUAL 16u

/* --- how large everything is -------------------------------------------------------- */

struct layout {
	size_t page_bytes, cluster_bytes, ram_bytes, ram_most, fixed_bytes;
	size_t scratch_bytes, state_bytes;
	uint64_t place_count, cluster_count, buffer_count;
	size_t places, clusters, retired, scratches, buffers; /* offsets in the area */
	size_t area_bytes;
};

static size_t record_bytes(void)
{
	return vmsi_align_up(sizeof(struct vmsi_swap), vmsi_page_size());
}

static size_t least_cluster(size_t page_bytes)
{
	return vmsi_max(CLUSTER_LEAST, PAGES_LEAST * page_bytes);
}

static size_t choose_cluster(size_t page_bytes, size_t ram_bytes)
{
	const size_t least = least_cluster(page_bytes);
	size_t bytes = vmsi_max(CLUSTER_MOST, least);

	while (bytes > least && bytes * CLUSTERS_USUAL > ram_bytes)
		bytes /= 2;
	return bytes + vmsi_page_size();
}

static void lay_out_scratches(struct layout *layout, enum vmsi_swap_codec codec, int level)
{
	layout->state_bytes = vmsi_codec_state_bytes(codec, level, layout->page_bytes);
	layout->scratch_bytes = vmsi_align_up(layout->page_bytes + layout->state_bytes,
					      vmsi_page_size());
	layout->fixed_bytes = record_bytes() + VMSI_SWAP_SCRATCHES * layout->scratch_bytes;
}

/* A bit for each buffer. */
static size_t retired_bytes(const struct layout *layout)
{
	const size_t buffers = layout->ram_most / layout->cluster_bytes;

	return vmsi_align_up((buffers / 64 + 1) * sizeof(uint64_t), vmsi_page_size());
}

/* With the records of the first places and clusters. */
static size_t least_bytes(const struct layout *layout, size_t cluster_bytes)
{
	return layout->fixed_bytes + 2 * vmsi_page_size() +
		VMSI_SWAP_BUFFERS_LEAST * cluster_bytes;
}

/* false: it is more than there are addresses. */
static bool lay_out_area(struct layout *layout)
{
	const size_t page = vmsi_page_size();
	size_t bytes;

	if (!vmsi_multiply(layout->place_count, sizeof(uint64_t), &bytes) ||
	    !vmsi_align_up_checked(bytes, page, &layout->clusters))
		return false;
	layout->places = 0;
	bytes = vmsi_align_up(layout->cluster_count * sizeof(struct vmsi_cluster), page);
	if (!vmsi_add(layout->clusters, bytes, &layout->retired) ||
	    !vmsi_add(layout->retired, retired_bytes(layout), &layout->scratches))
		return false;
	bytes = VMSI_SWAP_SCRATCHES * layout->scratch_bytes;
	return vmsi_add(layout->scratches, bytes, &layout->buffers) &&
		vmsi_multiply(layout->buffer_count, layout->cluster_bytes, &bytes) &&
		vmsi_add(layout->buffers, bytes, &layout->area_bytes);
}

/*
 * With a file there are as many clusters as it has room for, behind that of the header;
 * without, as many as there are buffers.
 */
static int lay_out(struct layout *layout, const struct vmsi_swap_options *options)
{
	const uint64_t limit = options->path ? vmsi_swap_file_limit(options->file_bytes) : 0;

	layout->page_bytes = options->page_bytes;
	layout->ram_bytes = options->ram_bytes;
	layout->ram_most = options->ram_most ? options->ram_most : options->ram_bytes;
	layout->place_count = options->places;
	layout->cluster_bytes = choose_cluster(options->page_bytes, options->ram_bytes);
	lay_out_scratches(layout, vmsi_codec_available(options->codec), options->level);
	layout->fixed_bytes += retired_bytes(layout);
	if (layout->ram_bytes > layout->ram_most ||
	    layout->ram_bytes < least_bytes(layout, layout->cluster_bytes))
		return -EINVAL;
	layout->buffer_count = vmsi_min((layout->ram_most - layout->fixed_bytes) /
					layout->cluster_bytes, VMSI_CLUSTER_IDS - 1);
	layout->cluster_count = layout->buffer_count;
	if (options->path) {
		if (limit / layout->cluster_bytes < VMSI_SWAP_BUFFERS_LEAST + 1)
			return -EINVAL;
		layout->cluster_count = vmsi_min(limit / layout->cluster_bytes - 1,
						 VMSI_CLUSTER_IDS - 1);
	}
	return lay_out_area(layout) ? 0 : -ENOMEM;
}

static bool is_valid(const struct vmsi_swap_options *options)
{
	const size_t page = options->page_bytes;

	return page >= VMSI_SWAP_PAGE_LEAST && page <= VMSI_SWAP_PAGE_MOST &&
		(page & (page - 1)) == 0 && options->places > 0 &&
		options->codec <= VMSI_SWAP_ZSTD && (!options->path || options->io);
}

size_t vmsi_swap_least_bytes(size_t page_bytes, enum vmsi_swap_codec codec)
{
	struct layout layout = { .page_bytes = page_bytes };

	lay_out_scratches(&layout, vmsi_codec_available(codec), 0);
	layout.cluster_bytes = choose_cluster(page_bytes, 0);
	layout.fixed_bytes += retired_bytes(&layout);
	return least_bytes(&layout, layout.cluster_bytes);
}

/* --- opening ------------------------------------------------------------------------ */

/*
 * NULL: *error tells why. mlockall(MCL_FUTURE) of the program would fill all of it at once:
 * so it is not locked before it can be filled.
 */
static void *map(size_t bytes, int *error)
{
	const long address = vmsi_host.mmap(0, bytes, PROT_NONE,
					    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
					    -1, 0);

	*error = address < 0 ? (int)address : 0;
	if (*error)
		return NULL;
	*error = (int)vmsi_host.munlock((uintptr_t)address, bytes);
	if (!*error)
		*error = (int)vmsi_host.mprotect((uintptr_t)address, bytes,
						 PROT_READ | PROT_WRITE);
	if (!*error)
		return (void *)address;
	vmsi_host.munmap((uintptr_t)address, bytes);
	return NULL;
}

/*
 * Addresses for the most that there can be. Huge pages would be more memory than was
 * touched; that a child would get pages that it cannot use is no reason to fail.
 */
static int map_area(struct vmsi_swap *swap, const struct layout *layout)
{
	int error;
	void *area = map(layout->area_bytes, &error);

	if (!area)
		return error;
	(void)vmsi_host.madvise((uintptr_t)area, layout->area_bytes, MADV_NOHUGEPAGE);
	(void)vmsi_host.madvise((uintptr_t)area, layout->area_bytes, MADV_DONTFORK);
	swap->area = (uintptr_t)area;
	swap->area_bytes = layout->area_bytes;
	swap->places = (uint64_t *)(swap->area + layout->places);
	swap->clusters = (struct vmsi_cluster *)(swap->area + layout->clusters);
	swap->retired = (uint64_t *)(swap->area + layout->retired);
	swap->scratches = (char *)(swap->area + layout->scratches);
	swap->buffers = (char *)(swap->area + layout->buffers);
	return 0;
}

/* So that what a disk still has of another run is not taken for this one's. */
static uint64_t first_sequence(const struct vmsi_swap *swap)
{
	uint64_t sequence;

	if (vmsi_host.random(&sequence, sizeof(sequence)) != (long)sizeof(sequence))
		sequence = vmsi_host.clock() ^ (uint64_t)(uintptr_t)swap << 20;
	return sequence;
}

static void fill_in(struct vmsi_swap *swap, const struct vmsi_swap_options *options,
		    const struct layout *layout)
{
	swap->io = options->io;
	swap->is_alone = options->is_alone;
	swap->page_bytes = layout->page_bytes;
	swap->cluster_bytes = layout->cluster_bytes;
	swap->ram_bytes = layout->ram_bytes;
	swap->ram_most = layout->ram_most;
	swap->fixed_bytes = layout->fixed_bytes;
	swap->scratch_bytes = layout->scratch_bytes;
	swap->state_bytes = layout->state_bytes;
	swap->codec = vmsi_codec_available(options->codec);
	swap->level = options->level;
	swap->fd = -1;
	swap->cluster_count = (uint32_t)layout->cluster_count;
	swap->buffer_count = (uint32_t)layout->buffer_count;
	swap->place_count = layout->place_count;
	swap->first = swap->last = VMSI_NONE;
	swap->open[VMSI_FILL_PUT] = swap->open[VMSI_FILL_MOVE] = VMSI_NONE;
	swap->sequence = first_sequence(swap);
	vmsi_lock_init(&swap->lock, VMSI_RANK_SWAP);
}

/* The file is last: what was in it is lost only where the rest has succeeded. */
int vmsi_swap_open(const struct vmsi_swap_options *options, struct vmsi_swap **opened)
{
	struct layout layout;
	struct vmsi_swap *swap;
	int error;

	if (!is_valid(options))
		return -EINVAL;
	error = lay_out(&layout, options);
	if (error)
		return error;
	swap = map(record_bytes(), &error);
	if (!swap)
		return error;
	fill_in(swap, options, &layout);
	error = map_area(swap, &layout);
	if (error)
		goto unmap_record;
	if (options->path)
		error = swap->fd = vmsi_swap_file_open(options->path);
	else
		swap->backed_clusters = swap->cluster_count;
	if (error < 0)
		goto unmap_area;
	*opened = swap;
	return 0;
unmap_area:
	vmsi_host.munmap(swap->area, swap->area_bytes);
unmap_record:
	vmsi_host.munmap((uintptr_t)swap, record_bytes());
	return error;
}

/* --- closing ------------------------------------------------------------------------ */

/* A child has the record, and not the area, where others may have come to lie. */
void vmsi_swap_close(struct vmsi_swap *swap)
{
	if (!swap->is_forked) {
		vmsi_lock_acquire(&swap->lock);
		vmsi_write_drain(swap);
		vmsi_lock_release(&swap->lock);
		if (swap->fd >= 0)
			vmsi_swap_file_close(swap->fd);
		pthread_mutex_destroy(&swap->lock.mutex);
		vmsi_host.munmap(swap->area, swap->area_bytes);
	}
	vmsi_host.munmap((uintptr_t)swap, record_bytes());
}

void vmsi_swap_forked(struct vmsi_swap *swap)
{
	if (swap->fd >= 0 && !swap->is_forked)
		(void)vmsi_host.close(swap->fd);
	swap->is_forked = true;
}

/* --- figures ------------------------------------------------------------------------ */

enum vmsi_swap_codec vmsi_swap_codec(const struct vmsi_swap *swap)
{
	return swap->codec;
}

size_t vmsi_swap_bytes(struct vmsi_swap *swap)
{
	size_t bytes;

	vmsi_lock_acquire(&swap->lock);
	bytes = vmsi_memory_used(swap);
	vmsi_lock_release(&swap->lock);
	return bytes;
}

uint64_t vmsi_swap_places(struct vmsi_swap *swap)
{
	uint64_t count;

	vmsi_lock_acquire(&swap->lock);
	count = swap->fresh_place;
	vmsi_lock_release(&swap->lock);
	return count;
}

void vmsi_swap_get_figures(struct vmsi_swap *swap, struct vmsi_swap_figures *figures)
{
	vmsi_lock_acquire(&swap->lock);
	*figures = swap->figures;
	figures->cluster_bytes = swap->cluster_bytes;
	figures->in_memory = swap->fresh_buffer - swap->retired_buffers - swap->free_buffers;
	figures->in_file = swap->filed;
	figures->failed_writes = swap->failures;
	vmsi_lock_release(&swap->lock);
}
