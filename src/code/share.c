/* SPDX-License-Identifier: MIT */
#include "code/share.h"

#include "code/chunk.h"
#include "code/file.h"
#include "code/memory.h"

void vmsi_code_note_shared(struct vms_code *code)
{
	if (code->mode == VMS_CODE_FLIPS)
		return;
	code->shared = true;
	for (struct vmsi_chunk *chunk = vmsi_chunk_next(code, NULL); chunk;
	     chunk = vmsi_chunk_next(code, chunk)) {
		chunk->shared = true;
		/*
		 * Views are not inherited (MADV_DONTFORK), private memory is. The
		 * reservation goes over the hole; if that is refused, it is one.
		 */
		if (code->mode == VMS_CODE_VIEWS && chunk->has_view &&
		    vmsi_view_close(code, chunk))
			vmsi_view_forget(code, chunk);
	}
}

/* Copy a chunk to the child's own memfd and map that in its place. */
static int unshare_chunk(struct vms_code *code, struct vmsi_chunk *chunk)
{
	const size_t length = (chunk->end - chunk->start) * VMSI_UNIT;
	int error = vmsi_code_file_write(
		code->own.fd, (void *)vmsi_unit_address(code, chunk->start),
		length, (uint64_t)chunk->start * VMSI_UNIT);

	if (!error)
		error = vmsi_chunk_map_run(code, chunk->start, chunk->end,
					   code->own.run_fd);
	chunk->shared = error != 0;
	return error;
}

static int unshare_chunks(struct vms_code *code)
{
	int error = 0;

	if (code->own.fd < 0)
		error = vmsi_code_file_make(code->file_kind, &code->own.fd,
					    &code->own.run_fd);
	if (!error)
		error = vmsi_code_file_set_size(code->own.fd, code->file_size);
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
