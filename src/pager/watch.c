/* SPDX-License-Identifier: MIT */
#include "pager/engines.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "host/host.h"

/* Of <linux/userfaultfd.h> of later kernels than the headers may be of. */
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define FEATURE_POISON (1u << 14)
struct poison {
	struct uffdio_range range;
	uint64_t mode;
	int64_t updated;
};
#define REQUEST_POISON _IOWR(UFFDIO, 0x08, struct poison)

#define FEATURES_OF_SIGNAL (UFFD_FEATURE_SIGBUS | UFFD_FEATURE_PAGEFAULT_FLAG_WP)

/* The bits of ioctls that are there for a range. */
#define IOCTLS (UINT64_C(1) << _UFFDIO_COPY | UINT64_C(1) << _UFFDIO_WRITEPROTECT)

static int control(int fd, unsigned long request, void *argument)
{
	return (int)vmsi_host.userfaultfd_control(fd, request, argument);
}

/* --- to open --------------------------------------------------------------------------------- */

/* A descriptor with features; *features is what the host has then. -errno. */
static int open_with(int flags, uint64_t *features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = *features };
	const int fd = (int)vmsi_host.userfaultfd(O_CLOEXEC | O_NONBLOCK | flags);
	int error;

	if (fd < 0)
		return fd;
	error = control(fd, UFFDIO_API, &api);
	if (!error && *features & ~api.features)
		error = -EOPNOTSUPP;
	if (error) {
		(void)vmsi_host.close(fd);
		return error;
	}
	*features = api.features;
	return fd;
}

/* Not all memory of all hosts can have its stores watched. */
static int watch(struct vmsi_pager *pager)
{
	struct uffdio_register request = {
		.range = { pager->range.start, vmsi_range_length(pager->range) },
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};
	int error = control(pager->fd, UFFDIO_REGISTER, &request);

	if (!error && IOCTLS & ~request.ioctls)
		error = -EOPNOTSUPP;
	if (error)
		vmsi_watch_close(pager);
	return error;
}

int vmsi_watch_open_signal(struct vmsi_pager *pager)
{
	uint64_t features = FEATURES_OF_SIGNAL;

	pager->fd = open_with(UFFD_USER_MODE_ONLY, &features);
	return pager->fd < 0 ? pager->fd : watch(pager);
}

/* What a descriptor can do is told once in its life, so that one is opened to ask. */
static int open_messages(int flags, uint64_t *features)
{
	int fd;

	*features = UFFD_FEATURE_PAGEFAULT_FLAG_WP;
	fd = open_with(flags, features);
	if (fd < 0 || !(*features & FEATURE_POISON))
		return fd;
	(void)vmsi_host.close(fd);
	*features = UFFD_FEATURE_PAGEFAULT_FLAG_WP | FEATURE_POISON;
	return open_with(flags, features);
}

int vmsi_watch_open_messages(struct vmsi_pager *pager)
{
	uint64_t features;

	pager->fd = open_messages(0, &features);
	pager->is_for_kernel = pager->fd >= 0;
	if (pager->fd == -EPERM)
		pager->fd = open_messages(UFFD_USER_MODE_ONLY, &features);
	if (pager->fd < 0)
		return pager->fd;
	pager->has_poison = features & FEATURE_POISON;
	return watch(pager);
}

void vmsi_watch_close(struct vmsi_pager *pager)
{
	const int fd = pager->fd;

	/* The child of a fork that comes meanwhile does not close another one by that number. */
	pager->fd = -1;
	(void)vmsi_host.close(fd);
}

/* --- memory ----------------------------------------------------------------------------------- */

int vmsi_watch_take(struct vmsi_range range)
{
	const int error = (int)vmsi_host.madvise(range.start, vmsi_range_length(range),
						 MADV_DONTNEED);

	return error == -EAGAIN ? -ENOMEM : error;
}

/* What is to be brought, and how far that has come. */
struct copying {
	uintptr_t address;
	const char *bytes;
	size_t length, done;
	uint64_t mode;
};

/*
 * The host copies page by page, and may be interrupted. Where something is already, it is
 * what could not be taken away earlier, or poison.
 */
static int copy_some(const struct vmsi_pager *pager, struct copying *copying)
{
	struct uffdio_copy request = {
		.dst = copying->address + copying->done,
		.src = (uintptr_t)copying->bytes + copying->done,
		.len = copying->length - copying->done,
		.mode = copying->mode,
	};
	const int error = control(pager->fd, UFFDIO_COPY, &request);

	if (!error)
		copying->done = copying->length;
	else if (request.copy > 0)
		copying->done += (size_t)request.copy;
	if (error == -EAGAIN)
		return 0;
	if (error == -EEXIST)
		return vmsi_watch_take((struct vmsi_range){
			request.dst, request.dst + vmsi_page_size() });
	return error;
}

/*
 * Several host pages come one after the other, so stores to them work only when all are
 * there: what fails is taken away again, and with it a store would be.
 */
int vmsi_watch_bring(const struct vmsi_pager *pager, uintptr_t address, const char *bytes,
		     size_t length, enum vmsi_stores stores)
{
	const bool is_late = stores == VMSI_STORES_WORK && length > vmsi_page_size();
	const struct vmsi_range range = { address, address + length };
	struct copying copying = {
		.address = address,
		.bytes = bytes,
		.length = length,
		.mode = stores == VMSI_STORES_FAULT || is_late ? UFFDIO_COPY_MODE_WP : 0,
	};
	int error = 0;

	if (pager->engine == VMSI_PAGER_SIGNAL)
		copying.mode |= UFFDIO_COPY_MODE_DONTWAKE;
	while (!error && copying.done < length)
		error = copy_some(pager, &copying);
	if (!error && is_late)
		error = vmsi_watch_set_stores(pager, range, stores);
	if (error && copying.done)
		(void)vmsi_watch_take(range);
	return error;
}

int vmsi_watch_set_stores(const struct vmsi_pager *pager, struct vmsi_range range,
			  enum vmsi_stores stores)
{
	struct uffdio_writeprotect request = {
		.range = { range.start, vmsi_range_length(range) },
		.mode = stores == VMSI_STORES_FAULT ? UFFDIO_WRITEPROTECT_MODE_WP : 0,
	};
	int error;

	do
		error = control(pager->fd, UFFDIO_WRITEPROTECT, &request);
	while (error == -EAGAIN);
	return error;
}

/* --- threads that wait --------------------------------------------------------------------------- */

static struct uffdio_range page_of(uintptr_t address)
{
	const size_t page = vmsi_page_size();

	return (struct uffdio_range){ vmsi_align_down(address, page), page };
}

int vmsi_watch_wake(const struct vmsi_pager *pager, uintptr_t address)
{
	struct uffdio_range range = page_of(address);

	return control(pager->fd, UFFDIO_WAKE, &range);
}

int vmsi_watch_poison(const struct vmsi_pager *pager, uintptr_t address)
{
	struct poison request = { .range = page_of(address) };

	return control(pager->fd, REQUEST_POISON, &request);
}
