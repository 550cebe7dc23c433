/* SPDX-License-Identifier: MIT */
#include "rehome.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>

#include "guard.h"
#include "host/host.h"

/* The one space of the process: when it is opened, how large, and where. */

/*
 * Opening is tried once. A call that comes while it is being opened goes to
 * the kernel, which is always right for memory that the space does not have
 * yet; so nobody waits, and neither a malloc of the program that maps memory
 * for the opening itself nor a child forked in the midst of it can hang.
 */
enum state { UNTRIED, OPENING, OPEN, NONE };

static _Atomic(int) state = UNTRIED;
static struct vms_space *the_space;
static struct vmsi_range bounds;

/* A quarter of the 128 TiB of a usual x86-64 program. */
#define LARGEST_SIZE ((size_t)32 << 40)
#define SMALLEST_SIZE ((size_t)1 << 20)

/* Pages that a process has mapped: the first number of /proc/self/statm. */
static size_t mapped_bytes(void)
{
	char text[64] = "";
	long fd = vmsi_raw_call(SYS_openat, AT_FDCWD,
				(long)(uintptr_t)"/proc/self/statm",
				O_RDONLY | O_CLOEXEC, 0, 0, 0);
	size_t pages = 0;

	if (fd < 0)
		return 0;

	long length = vmsi_raw_call(SYS_read, fd, (long)(uintptr_t)text,
				    sizeof(text), 0, 0, 0);

	vmsi_raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
	for (long i = 0; i < length && text[i] >= '0' && text[i] <= '9'; i++)
		pages = pages * 10 + (size_t)(text[i] - '0');
	return pages * vmsi_page_size();
}

/*
 * A reservation counts in full against RLIMIT_AS. Under such a limit the space
 * takes a quarter of what is left, so that the program's other memory keeps
 * most of it; what does not fit into the space then goes to the kernel.
 */
static size_t size_under_limit(size_t size)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	if (vmsi_raw_call(SYS_prlimit64, 0, RLIMIT_AS, 0,
			  (long)(uintptr_t)&limit, 0, 0) != 0 ||
	    limit.rlim_cur == RLIM_INFINITY)
		return size;

	size_t used = mapped_bytes();
	size_t left = limit.rlim_cur > used ? limit.rlim_cur - used : 0;

	return vmsi_min(size, left / 4);
}

/* VMSPACE_REHOME_SIZE: bytes, for tests of a space that is full or small. */
static size_t wanted_size(void)
{
	const char *text = getenv("VMSPACE_REHOME_SIZE");
	char *end;

	if (text && *text) {
		unsigned long size = strtoul(text, &end, 0);

		if (*end == '\0' && size >= SMALLEST_SIZE)
			return size;
	}
	return size_under_limit(LARGEST_SIZE);
}

static struct vms_space *open_space(void)
{
	/*
	 * The answers are to be the host's: its commit accounting and its huge
	 * pages. The host places from the top, and so does the space.
	 */
	struct vms_space_options options = {
		.struct_size = sizeof(options),
		.name = "rehome",
		.commit_policy = VMS_COMMIT_ALWAYS,
		.placement = VMS_PLACE_TOP,
		.flags = VMS_SPACE_HUGETLB_EXACT | VMS_SPACE_MCL_FUTURE,
	};

	for (size_t size = wanted_size(); size >= SMALLEST_SIZE; size /= 2) {
		struct vms_space *space = vms_space_open(size, &options);

		if (space)
			return space;
	}
	return NULL;
}

static void try_to_open(void)
{
	struct vmsi_rehome_guard guard = vmsi_rehome_enter();

	the_space = open_space();
	if (the_space) {
		bounds.start = (uintptr_t)vms_space_base(the_space);
		bounds.end = bounds.start + vms_space_size(the_space);
	}
	atomic_store_explicit(&state, the_space ? OPEN : NONE,
			      memory_order_release);
	vmsi_rehome_stats_begin();
	vmsi_rehome_leave(&guard, 0);
}

struct vms_space *vmsi_rehome_space(void)
{
	int seen = atomic_load_explicit(&state, memory_order_acquire);

	if (seen == UNTRIED) {
		if (atomic_compare_exchange_strong(&state, &seen, OPENING))
			try_to_open();
		seen = atomic_load_explicit(&state, memory_order_acquire);
	}
	return seen == OPEN ? the_space : NULL;
}

struct vmsi_range vmsi_rehome_bounds(void)
{
	return vmsi_rehome_space() ? bounds : (struct vmsi_range){ 0, 0 };
}

/* While the process has one thread, where the first call did not come sooner. */
__attribute__((constructor)) static void open_at_start(void)
{
	vmsi_rehome_space();
}
