/* SPDX-License-Identifier: MIT */
#include "code/share.h"

#include "code/chunk.h"
#include "code/file.h"
#include "code/memory.h"
#include "code/pages.h"
#include "host/disk.h"

/* --- copies ------------------------------------------------------------------------ */

static int copy_pages(struct vms_code *code, size_t first, size_t end)
{
	const size_t unit = first << code->page_shift;

	return vmsi_disk_write(code->own.fd, (void *)vmsi_unit_address(code, unit),
			       ((end - first) << code->page_shift) * VMSI_UNIT,
			       (uint64_t)unit * VMSI_UNIT);
}

/* Copy the pages of a chunk that have memory. */
static int copy_chunk(struct vms_code *code, const struct vmsi_chunk *chunk)
{
	const size_t limit = chunk->end >> code->page_shift;
	size_t at = chunk->start >> code->page_shift;
	int error = 0;

	while (at < limit && !error) {
		const size_t from = vmsi_bits_next_clear(code->no_memory, at,
							 limit);

		at = vmsi_bits_next_set(code->no_memory, from, limit);
		error = copy_pages(code, from, at);
	}
	return error;
}

static int make_own_file(struct vms_code *code)
{
	int error = 0;

	if (code->own.fd < 0)
		error = vmsi_code_file_make(code->file_kind, &code->own.fd,
					    &code->own.run_fd);
	return error ? error : vmsi_code_file_set_size(code->own.fd,
						       code->file_size);
}

void vmsi_code_copy_for_child(struct vms_code *code)
{
	int error;

	if (!(code->flags & VMS_CODE_COPY_AT_FORK) || code->fd < 0 ||
	    code->shared)
		return;
	error = make_own_file(code);
	for (struct vmsi_chunk *chunk = vmsi_chunk_next(code, NULL);
	     chunk && !error; chunk = vmsi_chunk_next(code, chunk))
		error = copy_chunk(code, chunk);
	code->own.copied = !error;
	if (error)
		vmsi_code_file_close(&code->own.fd, &code->own.run_fd);
}

void vmsi_code_drop_copy(struct vms_code *code)
{
	if (code->own.copied)
		vmsi_code_file_close(&code->own.fd, &code->own.run_fd);
	code->own.copied = false;
}

/* --- the child ---------------------------------------------------------------------- */

static void note_shared_chunk(struct vms_code *code, struct vmsi_chunk *chunk)
{
	chunk->shared = true;
	/*
	 * Views are not inherited (MADV_DONTFORK), private memory is. The reservation
	 * goes over the hole; if that is refused, it is one.
	 */
	if (code->mode == VMS_CODE_VIEWS && chunk->has_view &&
	    vmsi_view_close(code, chunk))
		vmsi_view_forget(code, chunk);
}

void vmsi_code_note_shared(struct vms_code *code)
{
	if (code->mode == VMS_CODE_FLIPS)
		return;
	/* The parent, a child itself, has not come to an end with its own. */
	if (!code->own.copied)
		vmsi_code_file_close(&code->own.fd, &code->own.run_fd);
	code->shared = true;
	code->own.made = false;
	for (struct vmsi_chunk *chunk = vmsi_chunk_next(code, NULL); chunk;
	     chunk = vmsi_chunk_next(code, chunk))
		note_shared_chunk(code, chunk);
	/* What is refused here is tried again by the next call. */
	if (code->own.copied)
		(void)vmsi_code_unshare(code);
}

/* Copy a chunk to the child's own memfd and map that in its place. */
static int unshare_chunk(struct vms_code *code, struct vmsi_chunk *chunk)
{
	int error = code->own.copied ? 0 : copy_chunk(code, chunk);

	if (!error)
		error = vmsi_chunk_map_run(code, chunk->start, chunk->end,
					   code->own.run_fd);
	if (!error)
		error = vmsi_pages_bar(code, chunk);
	chunk->shared = error != 0;
	return error;
}

static int unshare_chunks(struct vms_code *code)
{
	int error = make_own_file(code);

	for (struct vmsi_chunk *chunk = vmsi_chunk_next(code, NULL);
	     chunk && !error; chunk = vmsi_chunk_next(code, chunk))
		if (chunk->shared)
			error = unshare_chunk(code, chunk);
	if (error)
		return error;
	vmsi_code_file_close(&code->fd, &code->run_fd);
	code->fd = code->own.fd;
	code->run_fd = code->own.run_fd;
	code->own.fd = code->own.run_fd = -1;
	code->own.copied = false;
	code->own.made = true;
	return 0;
}

int vmsi_code_unshare(struct vms_code *code)
{
	int error = code->own.made ? 0 : unshare_chunks(code);

	for (struct vmsi_chunk *chunk = vmsi_chunk_next(code, NULL);
	     chunk && !error; chunk = vmsi_chunk_next(code, chunk))
		if (chunk->unpublished && !chunk->has_view)
			error = vmsi_view_open(code, chunk);
	if (!error) {
		code->shared = false;
		code->own.made = false;
	}
	return error;
}
