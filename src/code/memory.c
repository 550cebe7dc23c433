/* SPDX-License-Identifier: MIT */
#include "code/memory.h"

#include <errno.h>

#include "base/mman.h"
#include "code/caches.h"
#include "code/file.h"
#include "code/trap.h"
#include "host/disk.h"
#include "host/host.h"
#include "space/inside.h"

#define RW (PROT_READ | PROT_WRITE)
#define RX (PROT_READ | PROT_EXEC)

static uint64_t offset_of(size_t unit)
{
	return (uint64_t)unit * VMSI_UNIT;
}

static uintptr_t view_address(const struct vms_code *code, size_t unit)
{
	return vmsi_unit_address(code, unit) + code->delta;
}

static int map(const struct vms_code *code, uintptr_t start, size_t length, int prot,
	       int flags, int fd, uint64_t offset)
{
	long at = vmsi_mmap(code->space, start, length, prot, flags | MAP_FIXED,
			    fd, offset);

	return at < 0 ? (int)at : 0;
}

int vmsi_code_cover(const struct vms_code *code, uintptr_t start, size_t length)
{
	return map(code, start, length, PROT_NONE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

/* Take back a mapping after a refusal, whose reason stays noted. */
static void undo_map(const struct vms_code *code, uintptr_t start, size_t length)
{
	const enum vms_refusal reason = vmsi_reason();

	(void)vmsi_code_cover(code, start, length);
	(void)vmsi_refuse(reason);
}

/*
 * Write traps to the memfd. For new pages that is better than through a view: they
 * come without a fault each, are not zeroed before, and where there is no memory
 * for them it is an error and no signal.
 */
static int write_traps(const struct vms_code *code, size_t start, size_t end)
{
	size_t rest = (end - start) * VMSI_UNIT;
	uint64_t at = offset_of(start);
	int error = 0;

	while (rest && !error) {
		const size_t part = vmsi_min(rest, VMSI_TRAP_BYTES);

		error = vmsi_disk_write(code->fd, vmsi_traps, part, at);
		at += part;
		rest -= part;
	}
	return error;
}

/* --- views ------------------------------------------------------------------------- */

static int map_view(const struct vms_code *code, size_t start, size_t end)
{
	const uintptr_t at = view_address(code, start);
	const size_t length = (end - start) * VMSI_UNIT;
	int error;

	if (code->mode == VMS_CODE_COPIES)
		return map(code, at, length, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			   0);
	error = map(code, at, length, RW, MAP_SHARED, code->fd,
		    offset_of(start));
	if (error)
		return error;
	/*
	 * A child of fork must not write to the code of its parent. And what is written
	 * once need not be found to be in use when the view goes, which takes the kernel
	 * a lock for each page.
	 */
	return vms_madvise(code->space, (void *)at, length, MADV_DONTFORK) == 0 &&
		vms_madvise(code->space, (void *)at, length, MADV_RANDOM) == 0 ?
		0 : -errno;
}

/* map_view, and where that fails the reservation is there again. */
static int open_view(const struct vms_code *code, size_t start, size_t end)
{
	const int error = map_view(code, start, end);

	if (error)
		undo_map(code, view_address(code, start),
			 (end - start) * VMSI_UNIT);
	return error;
}

int vmsi_view_open(struct vms_code *code, struct vmsi_chunk *chunk)
{
	int error = open_view(code, chunk->start, chunk->end);

	if (error)
		return error;
	chunk->has_view = true;
	code->writable += (chunk->end - chunk->start) * VMSI_UNIT;
	return 0;
}

/*
 * A fault by a read maps several pages, and, since the view is shared and writable, so
 * that they can be written to.
 */
void vmsi_view_touch(const struct vms_code *code, size_t start, size_t end)
{
	const size_t length = (end - start) * VMSI_UNIT;
	const volatile char *view = (char *)view_address(code, start);

	if (code->mode != VMS_CODE_VIEWS)
		return;
	for (size_t at = 0; at < length; at += code->granule)
		(void)view[at];
}

void vmsi_view_forget(struct vms_code *code, struct vmsi_chunk *chunk)
{
	chunk->has_view = false;
	code->writable -= (chunk->end - chunk->start) * VMSI_UNIT;
}

int vmsi_view_close(struct vms_code *code, struct vmsi_chunk *chunk)
{
	int error = vmsi_code_cover(code, view_address(code, chunk->start),
				    (chunk->end - chunk->start) * VMSI_UNIT);

	if (!error)
		vmsi_view_forget(code, chunk);
	return error;
}

/* --- chunks ------------------------------------------------------------------------ */

int vmsi_chunk_map_run(const struct vms_code *code, size_t start, size_t end,
		       int run_fd)
{
	return map(code, vmsi_unit_address(code, start),
		   (end - start) * VMSI_UNIT, RX, MAP_SHARED, run_fd,
		   offset_of(start));
}

/*
 * Pages that may become code: new ones, writable until they do, so that a jump to them
 * is SIGSEGV.
 */
static int map_for_flips(const struct vms_code *code, size_t start, size_t end)
{
	return map(code, vmsi_unit_address(code, start),
		   (end - start) * VMSI_UNIT, RW, MAP_PRIVATE | MAP_ANONYMOUS,
		   -1, 0);
}

int vmsi_pages_map(const struct vms_code *code, size_t start, size_t end)
{
	const size_t length = (end - start) * VMSI_UNIT;
	int error = write_traps(code, start, end);

	if (!error) {
		error = vmsi_chunk_map_run(code, start, end, code->run_fd);
		if (error)
			undo_map(code, vmsi_unit_address(code, start), length);
	}
	if (error)
		vmsi_code_file_punch(code, offset_of(start), length);
	return error;
}

static int map_views(struct vms_code *code, size_t start, size_t memory_end, size_t end)
{
	int error = open_view(code, start, end);

	if (error)
		return error;
	error = vmsi_pages_map(code, start, memory_end);
	if (error)
		undo_map(code, view_address(code, start),
			 (end - start) * VMSI_UNIT);
	else
		vmsi_view_touch(code, start, memory_end);
	return error;
}

int vmsi_chunk_map(struct vms_code *code, size_t start, size_t memory_end, size_t end)
{
	const uint64_t earlier = code->file_size;
	int error;

	if (code->mode == VMS_CODE_FLIPS)
		return map_for_flips(code, start, end);
	error = vmsi_code_file_grow(code, offset_of(end));
	if (error)
		return error;
	error = map_views(code, start, memory_end, end);
	if (error)
		vmsi_code_file_shrink(code, earlier);
	else
		code->writable += (end - start) * VMSI_UNIT;
	return error;
}

void vmsi_chunk_unmap(struct vms_code *code, const struct vmsi_chunk *chunk)
{
	const size_t length = (chunk->end - chunk->start) * VMSI_UNIT;
	int error = vmsi_code_cover(code, vmsi_unit_address(code, chunk->start),
				    length);

	/* What is mapped still must go on to trap. */
	if (!error && code->mode != VMS_CODE_FLIPS)
		vmsi_code_file_punch(code, offset_of(chunk->start), length);
}

/* --- units ------------------------------------------------------------------------- */

void vmsi_units_begin(struct vms_code *code, size_t start, size_t end)
{
	void *view = (void *)view_address(code, start);
	const size_t length = (end - start) * VMSI_UNIT;

	/* Views have traps already. */
	if (code->mode != VMS_CODE_VIEWS)
		vmsi_fill_with_traps(view, length);
}

int vmsi_units_publish(struct vms_code *code, size_t start, size_t end)
{
	const uintptr_t run = vmsi_unit_address(code, start);
	const size_t length = (end - start) * VMSI_UNIT;
	int error = 0;

	if (code->mode == VMS_CODE_COPIES)
		error = vmsi_disk_write(code->fd, (void *)view_address(code, start),
					length, offset_of(start));
	else if (code->mode == VMS_CODE_FLIPS)
		error = vmsi_protect(code->space, run, length, RX);
	if (!error)
		vmsi_clear_caches(run, length);
	return error;
}

int vmsi_units_wipe(struct vms_code *code, const struct vmsi_chunk *chunk,
		    size_t start, size_t end)
{
	const uintptr_t run = vmsi_unit_address(code, start);
	const size_t length = (end - start) * VMSI_UNIT;
	int error = 0;

	if (code->mode == VMS_CODE_FLIPS)
		return map_for_flips(code, start, end);
	if (code->mode == VMS_CODE_VIEWS && chunk->has_view)
		vmsi_fill_with_traps((void *)view_address(code, start), length);
	else
		error = write_traps(code, start, end);
	if (!error)
		vmsi_clear_caches(run, length);
	return error;
}
