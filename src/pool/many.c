/* SPDX-License-Identifier: MIT */
#include "pool/flight.h"
#include "pool/plain/shield.h"
#include "pool/pool.h"
#include "pool/write/sort.h"
#include "space/inside.h"

/* Calls on several pages. */

struct wanted {
	uint64_t page;
	size_t place;     /* in the caller's arrays */
};

/* --- to read ahead -------------------------------------------------------------------------------- */

ssize_t vms_pool_prefetch(vms_pool *pool, const uint64_t *pages, size_t count)
{
	const int earlier = errno;
	const int error = vmsi_pool_enter(pool);
	struct vmsi_shield shield;
	size_t begun;

	if (error || count > VMS_POOL_MANY)
		return vmsi_status(error ? error : -EINVAL);
	vmsi_shield_raise(pool, &shield);
	begun = vmsi_flight_begin(pool, pages, count);
	vmsi_shield_lower(&shield);
	errno = earlier;
	return (ssize_t)begun;
}

/* --- to fix ----------------------------------------------------------------------------------------- */

/* Sort the pages; -EINVAL: one is named twice. */
static int sort(struct wanted *wanted, const uint64_t *pages, size_t count)
{
	for (size_t i = 0; i < count; i++)
		wanted[i] = (struct wanted){ .page = pages[i], .place = i };
	vmsi_sort(wanted, count, sizeof(*wanted));
	for (size_t i = 1; i < count; i++)
		if (wanted[i].page == wanted[i - 1].page)
			return -EINVAL;
	return 0;
}

/*
 * Nothing is held while reads are in flight: the pages are fixed afterwards, in order, and
 * those that have gone again by then, or found no room, are read one by one.
 */
static void read_together(struct vms_pool *pool, const uint64_t *pages, size_t count)
{
	struct vmsi_shield shield;

	vmsi_shield_raise(pool, &shield);
	vmsi_flight_read(pool, pages, count);
	vmsi_shield_lower(&shield);
}

int vms_pool_fix_many(vms_pool *pool, const uint64_t *pages, void **addresses,
		      size_t count, enum vms_pool_mode mode)
{
	struct wanted wanted[VMS_POOL_MANY];
	void *found[VMS_POOL_MANY];
	const int earlier = errno;
	int error = vmsi_pool_enter(pool);

	if (!error)
		error = count > VMS_POOL_MANY ? -EINVAL : sort(wanted, pages, count);
	if (error)
		return vmsi_status(error);
	read_together(pool, pages, count);
	for (size_t i = 0; i < count; i++) {
		found[wanted[i].place] = vms_pool_fix(pool, wanted[i].page, mode);
		if (found[wanted[i].place])
			continue;
		error = -errno;
		while (i--)
			(void)vms_pool_unfix(pool, wanted[i].page);
		return vmsi_status(error);
	}
	for (size_t i = 0; i < count; i++)
		addresses[i] = found[i];
	errno = earlier;
	return 0;
}

int vms_pool_unfix_many(vms_pool *pool, const uint64_t *pages, size_t count)
{
	int result = 0;

	for (size_t i = 0; i < count; i++)
		if (vms_pool_unfix(pool, pages[i]) != 0)
			result = -1;
	return result;
}
