/* SPDX-License-Identifier: MIT */
#include "io/transfer.h"

#include <errno.h>

#include "host/host.h"

void vmsi_transfer_begin(struct vmsi_io_request *request)
{
	request->moved = 0;
	request->result = 0;
	request->error = 0;
	request->next = NULL;
	atomic_store_explicit(&request->has_ended, 0, memory_order_relaxed);
}

/* Leave out of several ranges what was transferred: one of them in part, or none. */
static void skip_parts(struct vmsi_uring_operation *rest, size_t moved)
{
	while (moved && moved >= rest->parts->iov_len) {
		moved -= rest->parts->iov_len;
		rest->parts++;
		rest->part_count--;
	}
	if (!moved)
		return;
	rest->buffer = (char *)rest->parts->iov_base + moved;
	rest->length = rest->parts->iov_len - moved;
	rest->part_count = 0;
}

static enum vmsi_uring_opcode opcode_of(const struct vmsi_io_request *request)
{
	switch (request->opcode) {
	case VMSI_IO_READ:
		return VMSI_URING_READ;
	case VMSI_IO_WRITE:
		return VMSI_URING_WRITE;
	case VMSI_IO_SYNC:
		break;
	}
	return VMSI_URING_SYNC;
}

struct vmsi_uring_operation vmsi_transfer_rest(struct vmsi_io_request *request)
{
	struct vmsi_uring_operation rest = {
		.opcode = opcode_of(request),
		.fd = request->fd,
		.length = request->length - request->moved,
		.parts = request->parts,
		.part_count = request->part_count,
		.offset = request->offset + request->moved,
		.name = request,
	};

	if (request->part_count)
		skip_parts(&rest, request->moved);
	else if (request->buffer)
		rest.buffer = (char *)request->buffer + request->moved;
	return rest;
}

static bool end_with(struct vmsi_io_request *request, int error)
{
	request->error = error;
	request->result = error && !request->moved ? error : (long)request->moved;
	return true;
}

/*
 * A read that ended short was at the end of a file, or the next one tells why not: with
 * O_DIRECT that may be refused for its offset, which is then in the midst of a block of
 * the device, whatever that has.
 */
static bool is_end_of_file(const struct vmsi_io_request *request, long result)
{
	return request->opcode == VMSI_IO_READ &&
		(result == 0 || (result == -EINVAL && request->moved > 0));
}

bool vmsi_transfer_note(struct vmsi_io_request *request, long result)
{
	if (result == -EINTR)
		return false;
	if (request->opcode == VMSI_IO_SYNC)
		return end_with(request, result < 0 ? (int)result : 0);
	if (result > 0)
		request->moved += (size_t)result;
	if (request->moved >= request->length || is_end_of_file(request, result))
		return end_with(request, 0);
	if (result > 0)
		return false;
	/* A write of something that writes nothing would be tried for ever. */
	return end_with(request, result ? (int)result : -EIO);
}

static long call_host(const struct vmsi_uring_operation *operation)
{
	const int fd = operation->fd;

	switch (operation->opcode) {
	case VMSI_URING_READ:
		return operation->part_count ?
			vmsi_host.preadv(fd, operation->parts, (int)operation->part_count,
					 operation->offset) :
			vmsi_host.pread(fd, operation->buffer, operation->length,
					operation->offset);
	case VMSI_URING_WRITE:
		return operation->part_count ?
			vmsi_host.pwritev(fd, operation->parts,
					  (int)operation->part_count, operation->offset) :
			vmsi_host.pwrite(fd, operation->buffer, operation->length,
					 operation->offset);
	case VMSI_URING_SYNC:
		return vmsi_host.fdatasync(fd);
	case VMSI_URING_NOTHING:
		break;
	}
	return 0;
}

void vmsi_transfer_finish(struct vmsi_io_request *request)
{
	struct vmsi_uring_operation rest;

	do
		rest = vmsi_transfer_rest(request);
	while (!vmsi_transfer_note(request, call_host(&rest)));
}

/* done may end the memory of the request. */
static long tell(struct vmsi_io_request *request)
{
	const long result = request->result;

	if (request->done)
		request->done(request);
	return result;
}

long vmsi_io_run(struct vmsi_io_request *request)
{
	vmsi_transfer_begin(request);
	vmsi_transfer_finish(request);
	return tell(request);
}

long vmsi_io_go_on(struct vmsi_io_request *request, long result)
{
	vmsi_transfer_begin(request);
	if (!vmsi_transfer_note(request, result))
		vmsi_transfer_finish(request);
	return tell(request);
}

int vmsi_io_status(const struct vmsi_io_request *request)
{
	if (request->error)
		return request->error;
	return request->result < 0 ? (int)request->result :
		(size_t)request->result < request->length ? -ENODATA : 0;
}
