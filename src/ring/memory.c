/* SPDX-License-Identifier: MIT */
#include "ring/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/align.h"
#include "base/mman.h"
#include "host/disk.h"
#include "host/host.h"
#include "ring/ring.h"
#include "space/inside.h"

#define FILE_NAME "vmspace-ring"
#define DEFAULT_MODE 0600u

/* --- layout ---------------------------------------------------------------------------- */

static bool is_kind(uint32_t kind)
{
	return kind == VMS_RING_SPSC || kind == VMS_RING_MPSC ||
		kind == VMS_RING_BROADCAST;
}

static uint64_t data_offset(enum vms_ring_kind kind, uint64_t capacity,
			    unsigned alignment)
{
	const uint64_t cells = kind == VMS_RING_MPSC ?
		capacity / alignment * sizeof(uint64_t) : 0;

	return vmsi_align_up(sizeof(struct vmsi_ring_shared) + cells, vmsi_page_size());
}

int vmsi_ring_plan(struct vmsi_ring_layout *layout, enum vms_ring_kind kind,
		   size_t capacity, unsigned alignment)
{
	uint64_t rounded = vmsi_page_size();

	if (!is_kind((uint32_t)kind) || capacity == 0)
		return -EINVAL;
	if (capacity > VMSI_RING_CAPACITY_MOST)
		return -EFBIG;
	while (rounded < capacity)
		rounded *= 2;
	*layout = (struct vmsi_ring_layout){
		.kind = kind,
		.capacity = rounded,
		.alignment = kind == VMS_RING_MPSC ? alignment : 8,
	};
	layout->data_offset = data_offset(kind, rounded, layout->alignment);
	return 0;
}

static uint64_t file_size(const struct vmsi_ring_layout *layout)
{
	return layout->data_offset + layout->capacity;
}

/* --- making ----------------------------------------------------------------------------- */

static int write_at(int fd, const void *bytes, size_t length, uint64_t offset)
{
	long written;

	do
		written = vmsi_host.pwrite(fd, bytes, length, offset);
	while (written == -EINTR);
	if (written < 0)
		return (int)written;
	return (size_t)written == length ? 0 : -ENOSPC;
}

/* The magic number comes last: who attaches before sees a file that is no ring. */
static int write_head(int fd, const struct vmsi_ring_layout *layout)
{
	const uint64_t magic = VMSI_RING_MAGIC;
	struct vmsi_ring_head head = {
		.version = VMSI_RING_VERSION,
		.kind = (uint32_t)layout->kind,
		.capacity = layout->capacity,
		.data_offset = layout->data_offset,
		.alignment = layout->alignment,
	};
	struct vmsi_ring_control control = {
		.tail = layout->capacity,
		.floor = layout->capacity,
		.head = layout->capacity,
		.releasing = layout->capacity,
	};
	int error = write_at(fd, &head, sizeof(head), 0);

	if (!error)
		error = write_at(fd, &control, sizeof(control),
				 offsetof(struct vmsi_ring_shared, control));
	if (!error)
		error = write_at(fd, &magic, sizeof(magic), 0);
	return error;
}

/* All memory now: a full disk is an error here, and no SIGBUS later. */
static int take_memory(int fd, uint64_t size)
{
	long error = vmsi_disk_check_limit(size);

	if (error)
		return (int)error;
	do
		error = vmsi_host.fallocate(fd, 0, 0, size);
	while (error == -EINTR);
	return (int)error;
}

static int open_new(const char *path, unsigned mode)
{
	if (path)
		return (int)vmsi_host.open_file(path, O_RDWR | O_CREAT | O_EXCL,
						mode ? mode : DEFAULT_MODE);
	return (int)vmsi_disk_make_memory(FILE_NAME, MFD_NOEXEC_SEAL);
}

int vmsi_ring_make_file(const char *path, unsigned mode,
			const struct vmsi_ring_layout *layout, int *fd)
{
	const int opened = open_new(path, mode);
	int error;

	if (opened < 0)
		return opened;
	error = take_memory(opened, file_size(layout));
	if (!error)
		error = write_head(opened, layout);
	if (!error && !path)
		error = (int)vmsi_host.add_seals(opened, F_SEAL_SHRINK | F_SEAL_GROW |
						 F_SEAL_SEAL);
	if (error) {
		if (path)
			(void)vmsi_host.unlink(path);
		(void)vmsi_host.close(opened);
		return error;
	}
	*fd = opened;
	return 0;
}

/* --- reading ----------------------------------------------------------------------------- */

/* First of all: whose a file is that is not sealed decides how long a read of it takes. */
static int check_seals(int fd, unsigned flags)
{
	const int needed = F_SEAL_SHRINK | F_SEAL_GROW;
	long seals;

	if (flags & VMS_RING_UNSEALED)
		return 0;
	seals = vmsi_host.seals(fd);
	if (seals < 0)
		return seals == -EINVAL ? -EPERM : (int)seals;
	return (seals & needed) == needed ? 0 : -EPERM;
}

static bool is_power_of_two(uint64_t value)
{
	return value != 0 && (value & (value - 1)) == 0;
}

static int check_head(const struct vmsi_ring_head *head, uint64_t size,
		      struct vmsi_ring_layout *layout)
{
	if (atomic_load(&head->magic) != VMSI_RING_MAGIC)
		return -EBADMSG;
	if (head->version != VMSI_RING_VERSION)
		return -EPROTONOSUPPORT;
	if (!is_kind(head->kind) || !is_power_of_two(head->capacity) ||
	    head->capacity > VMSI_RING_CAPACITY_MOST ||
	    !is_power_of_two(head->alignment) || head->alignment < 8 ||
	    head->alignment > VMSI_RING_ALIGNMENT_MOST)
		return -EBADMSG;
	*layout = (struct vmsi_ring_layout){
		.kind = (enum vms_ring_kind)head->kind,
		.capacity = head->capacity,
		.alignment = head->alignment,
		.data_offset = head->data_offset,
	};
	if (head->capacity % vmsi_page_size() || head->data_offset % vmsi_page_size())
		return -EPROTONOSUPPORT;
	if (head->data_offset < data_offset(layout->kind, layout->capacity,
					    layout->alignment) ||
	    head->data_offset > size || size - head->data_offset < head->capacity)
		return -EBADMSG;
	return 0;
}

int vmsi_ring_read_file(int fd, unsigned flags, struct vmsi_ring_layout *layout)
{
	struct vmsi_ring_head head = { .version = 0 };
	struct stat status;
	long got = check_seals(fd, flags);

	if (got == 0)
		got = vmsi_host.fstat(fd, &status);
	if (got < 0)
		return (int)got;
	if (!S_ISREG(status.st_mode))
		return -EBADMSG;
	do
		got = vmsi_host.pread(fd, &head, sizeof(head), 0);
	while (got == -EINTR);
	if (got < 0)
		return (int)got;
	if (got != (long)sizeof(head))
		return -EBADMSG;
	return check_head(&head, (uint64_t)status.st_size, layout);
}

/* --- mapping ------------------------------------------------------------------------------ */

/* A file in memory is its own, and charged to nobody who maps it. */
static int open_space(struct vms_ring *ring, size_t bytes)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.name = "ring",
		.commit_policy = VMS_COMMIT_ALWAYS,
		.flags = VMS_SPACE_FILES_UNCHARGED,
	};

	ring->space = vms_space_open(bytes, &options);
	if (!ring->space)
		return -errno;
	vmsi_space_tell(ring->space, VMSI_SIGN_RING, NULL);
	return 0;
}

static int map_at(struct vms_ring *ring, int fd, char *address, size_t length,
		  uint64_t offset)
{
	return vms_mmap(ring->space, address, length, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_FIXED, fd, (off_t)offset) == MAP_FAILED ?
		-errno : 0;
}

static void fill_in(struct vms_ring *ring, const struct vmsi_ring_layout *layout,
		    char *base)
{
	struct vmsi_ring_control *control;

	ring->shared = (struct vmsi_ring_shared *)(void *)base;
	control = &ring->shared->control;
	ring->data = base + layout->data_offset;
	ring->data_offset = layout->data_offset;
	ring->kind = layout->kind;
	ring->capacity = layout->capacity;
	ring->alignment = layout->alignment;
	ring->spsc = (struct vmsi_spsc){ control, ring->data, ring->capacity };
	ring->broadcast = (struct vmsi_broadcast){ control, ring->data, ring->capacity };
	ring->mpsc.control = control;
	ring->mpsc.data = ring->data;
	ring->mpsc.capacity = ring->capacity;
	ring->mpsc.cells = (_Atomic uint64_t *)(void *)(base + sizeof(*ring->shared));
	ring->mpsc.shift = (unsigned)__builtin_ctz(layout->alignment);
}

int vmsi_ring_map(struct vms_ring *ring, const struct vmsi_ring_layout *layout, int fd)
{
	const size_t before = layout->data_offset;
	const size_t data = layout->capacity;
	char *base;
	int error = open_space(ring, before + 2 * data);

	if (error)
		return error;
	base = vms_space_base(ring->space);
	error = map_at(ring, fd, base, before + data, 0);
	if (!error)
		error = map_at(ring, fd, base + before + data, data, before);
	if (error) {
		(void)vms_space_close(ring->space);
		return error;
	}
	fill_in(ring, layout, base);
	return 0;
}
