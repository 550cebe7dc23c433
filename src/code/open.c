/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/reclaim.h"
#include "base/versioned.h"
#include "code/caches.h"
#include "code/file.h"
#include "code/fork.h"
#include "code/modes.h"
#include "code/names.h"
#include "code/place.h"
#include "code/problem.h"
#include "host/host.h"
#include "space/inside.h"

/* Opens and closes pools. */

#define RESERVE ((size_t)256 << 20)
#define REACH ((size_t)2 << 30)
#define GRANULE ((size_t)64 << 10)

static bool options_are_good(const struct vms_code_options *options)
{
	return options->mode <= VMS_CODE_FLIPS &&
		!(options->flags & ~(VMS_CODE_PERF | VMS_CODE_GDB |
				   VMS_CODE_COPY_AT_FORK)) &&
		(options->near || !options->reach) &&
		!(options->budget && options->space);
}

/* --- the record -------------------------------------------------------------------- */

/*
 *	struct vms_code | in_block | last | published | no_memory | in_chunk | chunks
 *
 * Most of the arrays is never touched, and takes no memory.
 */
struct layout {
	size_t granule, granules;
	size_t in_block, last, published, no_memory, in_chunk, chunks;
	size_t bytes;
};

/* Put an array of count elements behind what there is. */
static bool add_array(size_t *bytes, size_t count, size_t each, size_t *at)
{
	size_t size;

	*at = vmsi_align_up(*bytes, 64);
	return vmsi_multiply(count, each, &size) &&
		vmsi_add(*at, size, bytes);
}

static int lay_out(size_t reserve, struct layout *layout)
{
	const size_t page = vmsi_page_size();
	size_t bytes = sizeof(struct vms_code), units, words;

	layout->granule = vmsi_max(GRANULE, page);
	/* As many addresses again are for the views. */
	if (reserve > SIZE_MAX / 4 ||
	    !vmsi_align_up_checked(reserve, layout->granule, &reserve))
		return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
	layout->granules = reserve / layout->granule;
	units = reserve / VMSI_UNIT;
	words = vmsi_bits_words(units);
	if (!add_array(&bytes, words, 8, &layout->in_block) ||
	    !add_array(&bytes, words, 8, &layout->last) ||
	    !add_array(&bytes, words, 8, &layout->published) ||
	    !add_array(&bytes, vmsi_bits_words(reserve / page), 8,
		       &layout->no_memory) ||
	    !add_array(&bytes, vmsi_bits_words(layout->granules), 8,
		       &layout->in_chunk) ||
	    !add_array(&bytes, layout->granules, sizeof(struct vmsi_chunk),
		       &layout->chunks) ||
	    !vmsi_align_up_checked(bytes, page, &layout->bytes))
		return vmsi_refuse(VMS_REFUSAL_ADDRESSES);
	return 0;
}

static struct vms_code *make_record(const struct layout *layout)
{
	char *bytes = vmsi_records_get(NULL, layout->bytes);
	struct vms_code *code = (struct vms_code *)bytes;

	if (!code)
		return NULL;
	code->bytes = layout->bytes;
	code->granule = layout->granule;
	code->unit_shift = (unsigned)__builtin_ctzl(layout->granule / VMSI_UNIT);
	code->page_shift = (unsigned)__builtin_ctzl(vmsi_page_size() / VMSI_UNIT);
	code->granules = layout->granules;
	code->in_block = (uint64_t *)(bytes + layout->in_block);
	code->last = (uint64_t *)(bytes + layout->last);
	code->published = (uint64_t *)(bytes + layout->published);
	code->no_memory = (uint64_t *)(bytes + layout->no_memory);
	code->in_chunk = (uint64_t *)(bytes + layout->in_chunk);
	code->chunks = (struct vmsi_chunk *)(bytes + layout->chunks);
	vmsi_lock_init(&code->lock, VMSI_RANK_CODE);
	code->first_chunk = code->current = VMSI_NO_CHUNK;
	code->fd = code->run_fd = code->perf_fd = -1;
	code->own.fd = code->own.run_fd = -1;
	return code;
}

static void drop_record(struct vms_code *code)
{
	vmsi_records_put(NULL, code, code->bytes);
}

/* --- open ------------------------------------------------------------------------------ */

/* The bytes of addresses: of code, and of views where the mode may be one with them. */
static size_t addresses(const struct vms_code *code, enum vms_code_mode mode)
{
	const size_t run = code->granules * code->granule;

	return mode == VMS_CODE_FLIPS ? run : 2 * run;
}

static int set_up(struct vms_code *code, const struct vms_code_options *options)
{
	const size_t length = addresses(code, options->mode);
	int error = vmsi_code_reserve(code, length, options);

	if (error)
		return error;
	code->reserved = length;
	code->flags = options->flags;
	code->run.end = code->run.start + code->granules * code->granule;
	error = vmsi_code_choose_mode(code, options->mode);
	if (!error)
		return 0;
	vmsi_code_file_close(&code->fd, &code->run_fd);
	(void)vmsi_code_unreserve(code, length);
	return error;
}

static int open_pool(const struct vms_code_options *options,
		     struct vms_code **result)
{
	struct layout layout = { .bytes = 0 };
	struct vms_code *code;
	int error = lay_out(options->reserve, &layout);

	if (error)
		return error;
	code = make_record(&layout);
	if (!code)
		return vmsi_refuse(VMS_REFUSAL_HOST);
	error = set_up(code, options);
	if (error) {
		vmsi_code_note_problem(code->problem);
		drop_record(code);
		return error;
	}
	vmsi_caches_open(code);
	vmsi_code_handle_fork();
	vmsi_code_register(code);
	*result = code;
	return 0;
}

vms_code *vms_code_open(const struct vms_code_options *options)
{
	struct vms_code_options known = { 0 };
	const unsigned since = vmsi_reclaim_moment();
	const int saved = errno;
	struct vms_code *code = NULL;
	int error = options ? vmsi_take_options(&known, sizeof(known),
						VMSI_FIRST_CODE_OPTIONS,
						options) : 0;

	vmsi_code_note_problem(NULL);
	if (!error && !options_are_good(&known))
		error = -EINVAL;
	if (!known.reserve)
		known.reserve = RESERVE;
	if (known.near && !known.reach)
		known.reach = REACH;
	if (!error)
		error = open_pool(&known, &code);
	/* Heaps may retain the memory that was missing. */
	if (error == -ENOMEM && vmsi_reclaim(NULL, since))
		error = open_pool(&known, &code);
	errno = error ? -error : saved;
	return code;
}

/* --- close ------------------------------------------------------------------------------ */

int vms_code_close(vms_code *code)
{
	const int saved = errno;
	int error;

	if (!code)
		return 0;
	/* No fork may meet it without its addresses. */
	vmsi_code_unregister(code);
	error = code->sealed ? -EPERM :
			       vmsi_code_unreserve(code, code->reserved);
	if (error) {
		vmsi_code_register(code);
		return vmsi_status(error);
	}
	vmsi_names_release(code);
	vmsi_code_file_close(&code->fd, &code->run_fd);
	vmsi_code_file_close(&code->own.fd, &code->own.run_fd);
	drop_record(code);
	errno = saved;
	return 0;
}
