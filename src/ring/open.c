/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "host/host.h"
#include "ring/fork.h"
#include "ring/memory.h"
#include "ring/options.h"
#include "ring/ring.h"
#include "ring/slots.h"
#include "ring/wait.h"
#include "space/inside.h"

/* --- to begin ---------------------------------------------------------------------------- */

/* Begin where the ring is; another process may have had the part before. */
static int begin_producing(struct vms_ring *ring)
{
	struct vmsi_ring_producer *producer = &ring->producer;

	if (!(ring->flags & VMS_RING_PRODUCER))
		return 0;
	if (ring->kind == VMS_RING_SPSC)
		return vmsi_spsc_begin_writing(&ring->spsc, &producer->spsc);
	if (ring->kind == VMS_RING_BROADCAST)
		return vmsi_broadcast_begin_writing(&ring->broadcast,
						    &producer->broadcast);
	atomic_store(&producer->mpsc_head,
		     vmsi_ring_load(&ring->shared->control.head));
	return 0;
}

static int begin_consuming(struct vms_ring *ring)
{
	struct vmsi_ring_consumer *consumer = &ring->consumer;
	int error = 0;

	if (!(ring->flags & VMS_RING_CONSUMER))
		return 0;
	switch (ring->kind) {
	case VMS_RING_SPSC:
		error = vmsi_spsc_begin_reading(&ring->spsc, &consumer->spsc);
		break;
	case VMS_RING_MPSC:
		error = vmsi_mpsc_begin_reading(&ring->mpsc, &consumer->mpsc);
		break;
	case VMS_RING_BROADCAST:
		error = vmsi_broadcast_begin_reading(
			&ring->broadcast, &consumer->broadcast,
			ring->flags & VMS_RING_FROM_OLDEST ?
			VMSI_BROADCAST_OLDEST : VMSI_BROADCAST_NOW);
		break;
	default:
		break;
	}
	return error;
}

static uint64_t record_most(const struct vms_ring *ring)
{
	switch (ring->kind) {
	case VMS_RING_SPSC:
		return ring->capacity - VMSI_SPSC_OVERHEAD;
	case VMS_RING_BROADCAST:
		return vmsi_broadcast_most(&ring->broadcast);
	case VMS_RING_MPSC:
	default:
		return ring->capacity;
	}
}

static int begin(struct vms_ring *ring)
{
	int error = vmsi_ring_take_slot(ring);

	if (!error)
		error = begin_producing(ring);
	if (!error)
		error = begin_consuming(ring);
	if (error)
		return error;
	ring->record_most = record_most(ring);
	if (ring->kind == VMS_RING_SPSC)
		atomic_store(&ring->quick,
			     ring->flags & (VMS_RING_PRODUCER | VMS_RING_CONSUMER));
	if (ring->flags & VMS_RING_PRODUCER)
		vmsi_ring_join_fences();
	return 0;
}

/* --- descriptors ------------------------------------------------------------------------- */

/* What is being opened, until a ring has it. */
struct opening {
	struct vms_ring_options options;
	int event_fd;                     /* -1: none */
};

/* 0, -EINVAL: it is something else, or another -errno. */
static int check_event_fd(int fd)
{
	static const char name[] = "anon_inode:[eventfd]";
	char link[VMSI_DESCRIPTOR_LINK_BYTES];
	char target[sizeof(name)];
	long length;

	vmsi_descriptor_link(link, fd);
	length = vmsi_host.readlink(link, target, sizeof(target));
	if (length < 0)
		return (int)length;
	return length == (long)sizeof(name) - 1 &&
		memcmp(target, name, sizeof(name) - 1) == 0 ? 0 : -EINVAL;
}

static int duplicate_event_fd(int given)
{
	const long fd = vmsi_host.duplicate(given, 0);
	const int error = fd < 0 ? (int)fd : check_event_fd((int)fd);

	if (error && fd >= 0)
		(void)vmsi_host.close((int)fd);
	return error ? error : (int)fd;
}

/* This comes first, before a descriptor that is opened can be taken for the given one. */
static int begin_opening(struct opening *opening, const struct vms_ring_options *given,
			 enum vmsi_ring_opening what)
{
	int error = vmsi_ring_options(&opening->options, given, what);
	int fd = -1;

	if (error)
		return error;
	if (opening->options.flags & VMS_RING_EVENT_FD)
		error = fd = duplicate_event_fd(opening->options.event_fd);
	else if (opening->options.flags & VMS_RING_EVENT)
		error = fd = (int)vmsi_host.eventfd();
	opening->event_fd = fd;
	return error < 0 ? error : 0;
}

static void close_event_fd(int fd)
{
	if (fd >= 0)
		(void)vmsi_host.close(fd);
}

/* --- to open ----------------------------------------------------------------------------- */

/* The ring has its mappings and its descriptor. */
static int join(struct vms_ring *ring)
{
	int error = vmsi_ring_register(ring, ring->fd);

	if (error)
		return error;
	error = begin(ring);
	if (error)
		vmsi_ring_unregister(ring);
	return error;
}

static void give_record(struct vms_ring *ring)
{
	vmsi_records_put(NULL, ring, sizeof(*ring));
}

/* Make a ring of a file. The descriptors become the ring's where that succeeds. */
static int make_ring(int fd, const struct opening *opening,
		     const struct vmsi_ring_layout *layout, struct vms_ring **made)
{
	struct vms_ring *ring = vmsi_records_get(NULL, sizeof(*ring));
	int error;

	if (!ring)
		return vmsi_refuse(VMS_REFUSAL_RECORDS);
	ring->flags = opening->options.flags;
	ring->fd = fd;
	ring->lock_fd = -1;
	ring->event_fd = opening->event_fd;
	ring->mpsc.is_alive = vmsi_ring_is_alive;
	error = vmsi_ring_map(ring, layout, fd);
	if (error)
		goto give_record;
	error = join(ring);
	if (error)
		goto unmap;
	*made = ring;
	return 0;
unmap:
	(void)vms_space_close(ring->space);
give_record:
	give_record(ring);
	return error;
}

static int make(const char *path, const struct vmsi_ring_layout *layout,
		const struct opening *opening, struct vms_ring **made)
{
	int fd;
	int error = vmsi_ring_make_file(path, opening->options.mode, layout, &fd);

	if (error)
		return error;
	error = make_ring(fd, opening, layout, made);
	if (error) {
		if (path)
			(void)vmsi_host.unlink(path);
		(void)vmsi_host.close(fd);
	}
	return error;
}

static int create(const char *path, enum vms_ring_kind kind, size_t capacity,
		  const struct vms_ring_options *given, struct vms_ring **made)
{
	struct opening opening;
	struct vmsi_ring_layout layout;
	int error = begin_opening(&opening, given, path ?
				  VMSI_RING_CREATES_FILE : VMSI_RING_CREATES);

	if (error)
		return error;
	error = vmsi_ring_plan(&layout, kind, capacity, opening.options.alignment);
	if (!error)
		error = make(path, &layout, &opening, made);
	if (error)
		close_event_fd(opening.event_fd);
	return error;
}

vms_ring *vms_ring_create(const char *path, enum vms_ring_kind kind, size_t capacity,
			  const struct vms_ring_options *options)
{
	struct vms_ring *ring = NULL;
	const int before = errno;
	int error = create(path, kind, capacity, options, &ring);

	if (!error && path)
		vmsi_space_tell(ring->space, VMSI_SIGN_RING, path);
	errno = before;
	(void)vmsi_status(error);
	return ring;
}

/* --- to attach --------------------------------------------------------------------------- */

static int read_and_make(int fd, const struct opening *opening, struct vms_ring **made)
{
	struct vmsi_ring_layout layout;
	int error = vmsi_ring_read_file(fd, opening->options.flags, &layout);

	return error ? error : make_ring(fd, opening, &layout, made);
}

/* fd, which is -errno where it could not be opened, is closed where that fails. */
static int attach(long fd, struct opening *opening, struct vms_ring **made)
{
	int error = fd < 0 ? (int)fd : read_and_make((int)fd, opening, made);

	if (!error)
		return 0;
	if (fd >= 0)
		(void)vmsi_host.close((int)fd);
	close_event_fd(opening->event_fd);
	return error;
}

static int attach_fd(int fd, const struct vms_ring_options *given, struct vms_ring **made)
{
	struct opening opening;
	int error = begin_opening(&opening, given, VMSI_RING_ATTACHES);

	return error ? error : attach(vmsi_host.duplicate(fd, 0), &opening, made);
}

vms_ring *vms_ring_attach(int fd, const struct vms_ring_options *options)
{
	struct vms_ring *ring = NULL;
	const int before = errno;
	int error = attach_fd(fd, options, &ring);

	errno = before;
	(void)vmsi_status(error);
	return ring;
}

static int attach_path(const char *path, const struct vms_ring_options *given,
		       struct vms_ring **made)
{
	struct opening opening;
	int error = begin_opening(&opening, given, VMSI_RING_ATTACHES);

	if (error)
		return error;
	opening.options.flags |= VMS_RING_UNSEALED;
	return attach(vmsi_host.open_file(path, O_RDWR | O_NONBLOCK, 0), &opening, made);
}

vms_ring *vms_ring_attach_path(const char *path, const struct vms_ring_options *options)
{
	struct vms_ring *ring = NULL;
	const int before = errno;
	int error = path ? attach_path(path, options, &ring) : -EINVAL;

	if (!error)
		vmsi_space_tell(ring->space, VMSI_SIGN_RING, path);
	errno = before;
	(void)vmsi_status(error);
	return ring;
}

/* --- to close ---------------------------------------------------------------------------- */

int vms_ring_close(vms_ring *ring)
{
	if (!ring)
		return 0;
	if (vms_space_close(ring->space) != 0)
		return -1;
	vmsi_ring_unregister(ring);
	close_event_fd(ring->event_fd);
	(void)vmsi_host.close(ring->fd);
	give_record(ring);
	return 0;
}

int vms_ring_fd(const vms_ring *ring)
{
	return ring->fd;
}

int vms_ring_event_fd(const vms_ring *ring)
{
	return ring->event_fd >= 0 ? ring->event_fd : vmsi_status(-ENOENT);
}
