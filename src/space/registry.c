/* SPDX-License-Identifier: MIT */
#include "base/lock.h"
#include "base/pool.h"
#include "space/inside.h"
#include "space/registry.h"
#include "space/signs.h"
#include "space/space.h"

struct vmsi_lock vmsi_registry_lock =
	VMSI_LOCK_INITIALIZER(VMSI_RANK_REGISTRY);
struct vms_space *vmsi_registry;

void vmsi_registry_add(struct vms_space *space)
{
	vmsi_lock_acquire(&vmsi_registry_lock);
	space->next = vmsi_registry;
	vmsi_registry = space;
	space->sign.start = space->range.start;
	space->sign.end = space->range.end;
	vmsi_signs_put(&space->sign);
	vmsi_lock_release(&vmsi_registry_lock);
}

void vmsi_registry_remove(struct vms_space *space)
{
	struct vms_space **link = &vmsi_registry;

	vmsi_lock_acquire(&vmsi_registry_lock);
	while (*link != space)
		link = &(*link)->next;
	*link = space->next;
	vmsi_signs_take(&space->sign);
	vmsi_lock_release(&vmsi_registry_lock);
}

vms_space *vms_space_of(const void *address)
{
	struct vms_space *space;

	vmsi_lock_acquire(&vmsi_registry_lock);
	for (space = vmsi_registry; space; space = space->next)
		if ((uintptr_t)address >= space->range.start &&
		    (uintptr_t)address < space->range.end)
			break;
	vmsi_lock_release(&vmsi_registry_lock);
	return space;
}

void vmsi_space_tell(struct vms_space *space, enum vmsi_sign_kind kind,
		     const char *name)
{
	vmsi_lock_acquire(&vmsi_registry_lock);
	vmsi_signs_name(&space->sign, kind, name);
	vmsi_signs_put(&space->sign);
	vmsi_lock_release(&vmsi_registry_lock);
}

void vmsi_space_tell_part(struct vms_space *space, struct vmsi_space_sign *sign,
			  struct vmsi_range part, enum vmsi_sign_kind kind,
			  const char *name)
{
	vmsi_lock_acquire(&vmsi_registry_lock);
	sign->start = part.start;
	sign->end = part.end;
	vmsi_signs_name(sign, kind, name ? name : space->sign.name);
	vmsi_signs_put(sign);
	vmsi_lock_release(&vmsi_registry_lock);
}

void vmsi_space_tell_no_more(struct vmsi_space_sign *sign)
{
	vmsi_lock_acquire(&vmsi_registry_lock);
	vmsi_signs_take(sign);
	vmsi_lock_release(&vmsi_registry_lock);
}

/* --- signs of what has none ------------------------------------------------- */

/* The registry's lock guards it. */
static struct vmsi_pool kept_signs = {
	.source = { vmsi_records_get, vmsi_records_put, NULL },
};

struct vmsi_space_sign *vmsi_space_sign_get(void)
{
	struct vmsi_space_sign *sign = NULL;

	vmsi_lock_acquire(&vmsi_registry_lock);
	if (kept_signs.record_size == 0)
		vmsi_pool_init(&kept_signs, sizeof(*sign), kept_signs.source);
	if (vmsi_pool_reserve(&kept_signs, 1) == 0) {
		sign = vmsi_pool_take(&kept_signs);
		*sign = (struct vmsi_space_sign){ 0 };
	}
	vmsi_lock_release(&vmsi_registry_lock);
	return sign;
}

void vmsi_space_sign_put(struct vmsi_space_sign *sign)
{
	if (!sign)
		return;
	vmsi_lock_acquire(&vmsi_registry_lock);
	vmsi_signs_take(sign);
	vmsi_pool_give(&kept_signs, sign);
	vmsi_lock_release(&vmsi_registry_lock);
}

/* ---------------------------------------------------------------------------- */

void vmsi_registry_wait_for_wish(void)
{
	vmsi_lock_acquire(&vmsi_registry_lock);
	vmsi_signs_set_wish(true);
	vmsi_lock_release(&vmsi_registry_lock);
}
