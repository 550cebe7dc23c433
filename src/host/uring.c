/* SPDX-License-Identifier: MIT */
#include "host/uring.h"

#include <errno.h>

#include "host/host.h"

#ifdef VMSI_WITH_URING

#include <liburing.h>
#include <string.h>

_Static_assert(sizeof(struct io_uring) <= sizeof(struct vmsi_uring),
	       "a ring of liburing fits");

static struct io_uring *inside(struct vmsi_uring *ring)
{
	return (struct io_uring *)ring;
}

/* The kernel knows what is asked of it: READ and WRITE came with Linux 5.6. */
static int find_opcodes(struct io_uring *ring)
{
	static const int needed[] = { IORING_OP_READ, IORING_OP_WRITE, IORING_OP_READV,
				      IORING_OP_WRITEV, IORING_OP_FSYNC };
	union {
		struct io_uring_probe probe;
		char bytes[sizeof(struct io_uring_probe) +
			   64 * sizeof(struct io_uring_probe_op)];
	} memory;

	memset(&memory, 0, sizeof(memory));
	if (io_uring_register_probe(ring, &memory.probe, 64) < 0)
		return -EOPNOTSUPP;
	for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
		if (!io_uring_opcode_supported(&memory.probe, needed[i]))
			return -EOPNOTSUPP;
	return 0;
}

static int uring_open(struct vmsi_uring *ring, unsigned entries)
{
	int error = io_uring_queue_init(entries, inside(ring), 0);

	if (error)
		return error;
	error = find_opcodes(inside(ring));
	if (!error)
		error = io_uring_ring_dontfork(inside(ring));
	if (error)
		io_uring_queue_exit(inside(ring));
	return error;
}

static void uring_close(struct vmsi_uring *ring)
{
	io_uring_queue_exit(inside(ring));
}

static void uring_forget(struct vmsi_uring *ring)
{
	(void)vmsi_host.close(inside(ring)->ring_fd);
}

/* The ranges of one operation have fewer bytes than a call of read may ask for. */
static void prepare(struct io_uring_sqe *sqe, const struct vmsi_uring_operation *operation)
{
	const unsigned length = operation->length < 0x7ffff000u ?
		(unsigned)operation->length : 0x7ffff000u;

	switch (operation->opcode) {
	case VMSI_URING_READ:
		if (operation->part_count)
			io_uring_prep_readv(sqe, operation->fd, operation->parts,
					    operation->part_count, operation->offset);
		else
			io_uring_prep_read(sqe, operation->fd, operation->buffer, length,
					   operation->offset);
		break;
	case VMSI_URING_WRITE:
		if (operation->part_count)
			io_uring_prep_writev(sqe, operation->fd, operation->parts,
					     operation->part_count, operation->offset);
		else
			io_uring_prep_write(sqe, operation->fd, operation->buffer, length,
					    operation->offset);
		break;
	case VMSI_URING_SYNC:
		io_uring_prep_fsync(sqe, operation->fd, IORING_FSYNC_DATASYNC);
		break;
	case VMSI_URING_NOTHING:
		io_uring_prep_nop(sqe);
		break;
	}
	io_uring_sqe_set_data(sqe, operation->name);
}

static bool uring_add(struct vmsi_uring *ring, const struct vmsi_uring_operation *operation)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(inside(ring));

	if (!sqe)
		return false;
	prepare(sqe, operation);
	return true;
}

static int uring_submit(struct vmsi_uring *ring)
{
	return io_uring_submit(inside(ring));
}

static int uring_reap(struct vmsi_uring *ring, struct vmsi_uring_result *results,
		      unsigned most, bool wait)
{
	struct io_uring_cqe *cqe;
	unsigned count = 0;
	int error = 0;

	if (wait)
		error = io_uring_wait_cqe(inside(ring), &cqe);
	while (!error && count < most && io_uring_peek_cqe(inside(ring), &cqe) == 0) {
		/* What has none was nothing. */
		if (io_uring_cqe_get_data(cqe))
			results[count++] = (struct vmsi_uring_result){
				.name = io_uring_cqe_get_data(cqe),
				.result = cqe->res,
			};
		io_uring_cqe_seen(inside(ring), cqe);
	}
	return error ? error : (int)count;
}

static size_t uring_bytes(const struct vmsi_uring *ring)
{
	const struct io_uring *in = (const struct io_uring *)ring;
	size_t rings = in->sq.ring_sz;

	if (in->cq.ring_ptr != in->sq.ring_ptr)
		rings += in->cq.ring_sz;
	return vmsi_align_up(rings, vmsi_page_size()) +
		vmsi_align_up(in->sq.ring_entries * sizeof(struct io_uring_sqe),
			      vmsi_page_size());
}

#else

static int uring_open(struct vmsi_uring *ring, unsigned entries)
{
	(void)ring;
	(void)entries;
	return -ENOSYS;
}

/* Without a ring none of these is called. */
static void uring_close(struct vmsi_uring *ring)
{
	(void)ring;
}

static bool uring_add(struct vmsi_uring *ring, const struct vmsi_uring_operation *operation)
{
	(void)ring;
	(void)operation;
	return false;
}

static int uring_submit(struct vmsi_uring *ring)
{
	(void)ring;
	return -ENOSYS;
}

static int uring_reap(struct vmsi_uring *ring, struct vmsi_uring_result *results,
		      unsigned most, bool wait)
{
	(void)ring;
	(void)results;
	(void)most;
	(void)wait;
	return -ENOSYS;
}

static size_t uring_bytes(const struct vmsi_uring *ring)
{
	(void)ring;
	return 0;
}

#define uring_forget uring_close

#endif

struct vmsi_uring_calls vmsi_uring = {
	.open = uring_open,
	.close = uring_close,
	.forget = uring_forget,
	.add = uring_add,
	.submit = uring_submit,
	.reap = uring_reap,
	.bytes = uring_bytes,
};
