/* SPDX-License-Identifier: MIT */
#include "pool/pool.h"
#include "space/inside.h"

/* vms_pool_base, vms_pool_pin and vms_pool_unpin: pages by their addresses. */

/* Pages from first on, without end. */
struct pages {
	uint64_t first, end;
};

static int check_addressed(const struct vms_pool *pool)
{
	const int error = vmsi_pool_enter(pool);

	if (error)
		return error;
	return vmsi_pool_has(pool, VMS_POOL_ADDRESSED) ? 0 : -EINVAL;
}

static int find_pages(const struct vms_pool *pool, const void *address, size_t length,
		      struct pages *pages)
{
	const uintptr_t start = (uintptr_t)address - (uintptr_t)pool->view.memory;
	uintptr_t end;
	const int error = check_addressed(pool);

	if (error)
		return error;
	if ((uintptr_t)address < (uintptr_t)pool->view.memory ||
	    !vmsi_add(start, length, &end) ||
	    !vmsi_align_up_checked(end, pool->page_size, &end))
		return -ERANGE;
	*pages = (struct pages){ start >> pool->view.page_shift,
				 end >> pool->view.page_shift };
	if (pages->end > vmsi_pool_count(pool))
		return -ERANGE;
	if (!length)
		pages->end = pages->first;
	return 0;
}

void *vms_pool_base(vms_pool *pool)
{
	const int error = check_addressed(pool);

	errno = error ? -error : errno;
	return error ? NULL : pool->view.memory;
}

static int unpin(struct vms_pool *pool, const struct pages *pages)
{
	int result = 0;

	for (uint64_t page = pages->first; page < pages->end; page++)
		if (vms_pool_unfix(pool, page) != 0)
			result = -EINVAL;
	return result;
}

/* What is read is in flight together, as far as there is room. */
static void read_together(struct vms_pool *pool, const struct pages *pages)
{
	uint64_t batch[VMS_POOL_MANY];
	size_t count = 0;

	for (uint64_t page = pages->first; page < pages->end && count < VMS_POOL_MANY;
	     page++)
		batch[count++] = page;
	if (count > 1)
		(void)vms_pool_prefetch(pool, batch, count);
}

int vms_pool_pin(vms_pool *pool, const void *address, size_t length,
		 enum vms_pool_mode mode)
{
	struct pages pages;
	int error = find_pages(pool, address, length, &pages);

	if (error)
		return vmsi_status(error);
	for (uint64_t page = pages.first; page < pages.end; page++) {
		if ((page - pages.first) % VMS_POOL_MANY == 0)
			read_together(pool, &(struct pages){ page, pages.end });
		if (vms_pool_fix(pool, page, mode))
			continue;
		error = -errno;
		(void)unpin(pool, &(struct pages){ pages.first, page });
		return vmsi_status(error);
	}
	return 0;
}

int vms_pool_unpin(vms_pool *pool, const void *address, size_t length)
{
	struct pages pages;
	int error = find_pages(pool, address, length, &pages);

	if (!error)
		error = unpin(pool, &pages);
	return error ? vmsi_status(error) : 0;
}
