/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>

#include "base/mman.h"
#include "code/chunk.h"
#include "code/enter.h"
#include "code/file.h"
#include "host/host.h"
#include "space/inside.h"

/* vms_code_settle and vms_code_seal. */

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x0010
#endif

int vms_code_settle(vms_code *code)
{
	int error;

	if (!code)
		return vmsi_status(-EINVAL);
	vmsi_lock_acquire(&code->lock);
	/* What a child shares with its parent is the parent's to give back. */
	error = code->shared ? 0 : vmsi_chunks_settle(code);
	vmsi_code_leave(code);
	return vmsi_status(error);
}

/*
 * No descriptor of the memfd, of whoever has one, writes to it any more. An executable
 * view could be written to only by a mapping that exists and may become writable,
 * and mseal sees to those.
 */
static int seal_file(const struct vms_code *code)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	long error = vmsi_host.add_seals(code->fd, seals | F_SEAL_FUTURE_WRITE);

	/* Linux before 5.1 does not know that seal. */
	if (error == -EINVAL)
		error = vmsi_host.add_seals(code->fd, seals);
	return (int)error;
}

static int seal_chunk(const struct vms_code *code, const struct vmsi_chunk *chunk)
{
	return vms_mseal(code->space, (void *)vmsi_unit_address(code, chunk->start),
			 (chunk->end - chunk->start) * VMSI_UNIT, 0) == 0 ?
		0 : -errno;
}

static int seal(struct vms_code *code)
{
	int error = vmsi_code_enter(code);

	if (code->sealed)
		return 0;
	if (!error && code->unpublished)
		error = -EBUSY;
	/* With a length of 0 the host says only whether it has mseal. */
	if (!error && vms_mseal(code->space, (void *)code->run.start, 0, 0))
		error = -errno;
	if (!error)
		error = vmsi_chunks_settle(code);
	for (struct vmsi_chunk *chunk = vmsi_chunk_next(code, NULL);
	     chunk && !error; chunk = vmsi_chunk_next(code, chunk))
		error = seal_chunk(code, chunk);
	if (!error && code->fd >= 0)
		error = seal_file(code);
	if (error)
		return error;
	code->sealed = true;
	vmsi_code_file_close(&code->fd, &code->run_fd);
	return 0;
}

int vms_code_seal(vms_code *code)
{
	const int saved = errno;
	int error;

	if (!code)
		return vmsi_status(-EINVAL);
	error = seal(code);
	vmsi_code_leave(code);
	errno = saved;
	return vmsi_status(error);
}
