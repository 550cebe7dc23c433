/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <sys/sysmacros.h>

#include <linux/magic.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/inside.h"
#include "space/map_request.h"
#include "space/refusal.h"
#include "space/space.h"

/* The arguments of vms_mmap, and the object that a mapping needs. */

#ifndef HUGETLBFS_MAGIC
#define HUGETLBFS_MAGIC 0x958458f6
#endif

#define DEV_ZERO makedev(1, 5)

/*
 * Linux looks at the descriptor before anything for which the space refuses, so
 * EBADF comes before other errors.
 */
static int check_descriptor(struct map_request *request)
{
	long flags;

	if (request->flags & MAP_ANONYMOUS)
		return 0;
	flags = vmsi_host.file_flags(request->fd);
	if (flags < 0)
		return (int)flags;
	if (flags & O_PATH)
		return -EBADF;
	/* MAP_HUGETLB is for files on hugetlbfs. */
	return (request->flags & MAP_HUGETLB) &&
		request->page_size == vmsi_page_size() ? -EINVAL : 0;
}

/* Linux also looks first whether it has huge pages of the size asked for. */
static int check_huge_size(const struct map_request *request)
{
	const int both = MAP_ANONYMOUS | MAP_HUGETLB;
	long result;

	if ((request->flags & both) != both)
		return 0;
	result = vmsi_host.mmap(0, request->page_size, PROT_NONE,
				(request->flags & ~MAP_TYPE &
				 ~(MAP_FIXED | MAP_FIXED_NOREPLACE |
				   MAP_LOCKED | MAP_POPULATE)) |
					MAP_PRIVATE | MAP_NORESERVE,
				-1, 0);
	if (result >= 0)
		vmsi_host.munmap((uintptr_t)result, request->page_size);
	return result == -EINVAL ? -EINVAL : 0;
}

int vmsi_map_request_refuse(struct map_request *request, int error)
{
	int earlier = check_descriptor(request);

	if (!earlier)
		earlier = check_huge_size(request);
	return earlier ? earlier : error;
}

/* The size of a file's pages, which are huge on hugetlbfs. */
static size_t file_page_size(const struct map_request *request)
{
	const size_t page_size = vmsi_page_size();
	unsigned long magic;

	if (!S_ISREG(request->file.st_mode) ||
	    (size_t)request->file.st_blksize <= page_size)
		return page_size;
	if (vmsi_host.file_system(request->fd, &magic) < 0 ||
	    magic != HUGETLBFS_MAGIC)
		return page_size;
	return (size_t)request->file.st_blksize;
}

static int check_backing(struct map_request *request)
{
	request->page_size = vmsi_page_size();
	if (!(request->flags & MAP_ANONYMOUS)) {
		long error = vmsi_host.fstat(request->fd, &request->file);

		if (error < 0)
			return (int)error;
		request->page_size = file_page_size(request);
	} else if (request->flags & MAP_HUGETLB) {
		unsigned shift = (unsigned)request->flags >> MAP_HUGE_SHIFT &
			MAP_HUGE_MASK;

		request->page_size = shift ? (size_t)1 << shift :
					     vmsi_hugetlb_page_size();
		if (request->page_size < vmsi_page_size())
			return -EINVAL;
	}
	return 0;
}

static int check_length(struct map_request *request)
{
	if (request->length == 0)
		return vmsi_map_request_refuse(request, -EINVAL);
	if (vmsi_align_up_checked(request->length, request->page_size,
				  &request->length))
		return 0;
	/* Linux rounds up to huge pages before it looks whether that is 0. */
	return vmsi_map_request_refuse(
		request, request->page_size > vmsi_page_size() ?
			-EINVAL : vmsi_refuse(VMS_REFUSAL_ADDRESSES));
}

int vmsi_map_request_check(struct map_request *request)
{
	int error;

	if (!vmsi_is_aligned(request->offset, vmsi_page_size()))
		return -EINVAL;
	error = check_backing(request);
	return error ? error : check_length(request);
}

/* --- the object ---------------------------------------------------------- */

static int find_object(struct map_request *request, bool is_file)
{
	struct vmsi_attributes *attributes = &request->attributes;
	struct vms_space *space = request->space;

	attributes->object = is_file ?
		vmsi_object_of_file(space, request->file.st_dev,
				    request->file.st_ino, request->fd) :
		vmsi_object_anonymous(space);
	if (!attributes->object)
		return vmsi_refuse_records(space);
	request->own_object = attributes->object->mapped == 0;
	return 0;
}

int vmsi_map_request_get_object(struct map_request *request)
{
	struct vmsi_attributes *attributes = &request->attributes;
	bool shared = vmsi_map_request_is_shared(request);
	bool file = !(request->flags & MAP_ANONYMOUS);
	bool zero = file && S_ISCHR(request->file.st_mode) &&
		request->file.st_rdev == DEV_ZERO;

	if (zero)
		attributes->flags |= VMSI_ANONYMOUS;
	/*
	 * The host gives each anonymous mapping of huge pages a file of its
	 * own, so it never merges two; with an object each, the map does not.
	 */
	if (!file && !shared && !vmsi_has(attributes, VMSI_HUGETLB))
		return 0;
	request->object_offset = file && !(zero && shared) ?
		request->offset : 0;
	return find_object(request, file && !(zero && shared));
}

/*
 * Shared anonymous memory is charged when it is mapped, as by Linux. A file in
 * memory is charged to the budget then, too: Linux charges it page by page when
 * it is touched, where nobody could refuse it.
 */
int vmsi_map_request_find_hold(struct map_request *request)
{
	struct vmsi_object *object = request->attributes.object;
	bool anonymous = vmsi_has(&request->attributes, VMSI_ANONYMOUS);
	size_t bytes = 0;
	int error = 0;

	if (!vmsi_holds_object(&request->attributes))
		return 0;
	if (anonymous)
		bytes = request->length;
	else if (S_ISREG(request->file.st_mode))
		error = vmsi_bytes_in_memory(request->space, request->fd,
					     (uint64_t)request->file.st_size,
					     &bytes);
	if (error || bytes <= object->held)
		return error;
	request->hold = (struct vmsi_hold){ object->id, bytes, object->held };
	request->hold_level = anonymous ? VMSI_HOLD_HERE : VMSI_HOLD_ABOVE;
	return 0;
}

void vmsi_map_request_drop_object(struct map_request *request)
{
	struct vmsi_object *object = request->attributes.object;

	if (request->own_object && object)
		vmsi_object_drop(request->space, object);
}
