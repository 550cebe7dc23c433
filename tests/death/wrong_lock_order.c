/* SPDX-License-Identifier: MIT */
#include "base/lock.h"
#include "death.h"

/* Take a lock of lower rank than one that is held; only debug builds notice. */
int main(void)
{
	struct vmsi_lock space, registry;

	vmsi_lock_init(&space, VMSI_RANK_SPACE);
	vmsi_lock_init(&registry, VMSI_RANK_REGISTRY);
	vmsi_lock_acquire(&space);
	misuse();
	vmsi_lock_acquire(&registry);
	return 0;
}
