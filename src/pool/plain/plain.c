/* SPDX-License-Identifier: MIT */
#include "pool/plain/plain.h"

#include <vmspace/mapping.h>

#include "base/mman.h"
#include "host/file.h"
#include "host/host.h"
#include "pool/plain/touch.h"
#include "pool/slots.h"

/* The kernel's default of vm.max_map_count, if the host does not tell. */
#define MAPPINGS 65530

/*
 * A page that is there between others that are not takes two mappings. The program needs
 * some, too.
 */
#define MAPPINGS_OF_PAGE 4

static uint32_t slots_of_mappings(void)
{
	uint64_t mappings;

	if (!vmsi_host_read_number("/proc/sys/vm/max_map_count", &mappings))
		mappings = MAPPINGS;
	return (uint32_t)vmsi_min(mappings / MAPPINGS_OF_PAGE, UINT32_MAX);
}

/* The memfd takes the place of the memory, without rights. */
static int show_memfd(struct vms_pool *pool)
{
	char *start = vms_mmap(pool->space, pool->view.memory, pool->memory_bytes, PROT_NONE,
			       MAP_SHARED | MAP_FIXED | MAP_NORESERVE, pool->pager.fd, 0);

	if (start == MAP_FAILED ||
	    vms_madvise(pool->space, start, pool->memory_bytes, MADV_DONTFORK) != 0)
		return -errno;
	pool->slots_most = (uint32_t)vmsi_min(pool->slots_most, slots_of_mappings());
	pool->limit = (uint32_t)vmsi_min(pool->limit, pool->slots_most);
	return pool->limit < VMSI_SLOTS_LEAST ? -ENOMEM : 0;
}

/* No store can work into what the program may not write. */
static int set_rights(const struct vms_pool *pool)
{
	if (vmsi_pool_has(pool, VMS_POOL_READ_ONLY) &&
	    vms_mprotect(pool->space, pool->view.memory, pool->memory_bytes, PROT_READ) != 0)
		return -errno;
	return 0;
}

int vmsi_plain_open(struct vms_pool *pool)
{
	const uintptr_t start = (uintptr_t)pool->view.memory;
	const struct vmsi_range range = { start, start + pool->memory_bytes };
	const unsigned flags = vmsi_pool_has(pool, VMS_POOL_SERVED) ? VMSI_PAGER_SERVED : 0;
	int error;

	if (!vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return 0;
	error = set_rights(pool);
	if (!error)
		error = vmsi_pager_open(&pool->pager, range, flags, vmsi_touch, pool);
	if (error)
		return error;
	if (pool->pager.engine == VMSI_PAGER_PROTECT)
		error = show_memfd(pool);
	if (error)
		vmsi_pager_close(&pool->pager);
	else
		vmsi_outlet_open(pool);
	return error;
}

void vmsi_plain_close(struct vms_pool *pool)
{
	if (!vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return;
	vmsi_pager_close(&pool->pager);
	vmsi_outlet_close(pool);
}

void vmsi_plain_forked(struct vms_pool *pool)
{
	if (!vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return;
	vmsi_pager_forked(&pool->pager);
	vmsi_outlet_close(pool);
}
