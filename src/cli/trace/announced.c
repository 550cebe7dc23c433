/* SPDX-License-Identifier: MIT */
#include "cli/trace/announced.h"

#include <stdlib.h>

#include "base/array.h"

struct vmsi_announced *vmsi_announced_find(const struct vmsi_announced_list *all,
					   pid_t pid)
{
	for (size_t i = 0; i < all->count; i++)
		if (all->list[i].pid == pid)
			return &all->list[i];
	return NULL;
}

bool vmsi_announced_add(struct vmsi_announced_list *all,
			const struct vmsi_announced *announced)
{
	struct vmsi_announced *list =
		vmsi_with_capacity(all->list, all->count, &all->capacity, sizeof(*list));

	if (!list)
		return false;
	all->list = list;
	list[all->count++] = *announced;
	return true;
}

void vmsi_announced_remove(struct vmsi_announced_list *all,
			   struct vmsi_announced *announced)
{
	*announced = all->list[--all->count];
}

void vmsi_announced_free(struct vmsi_announced_list *all)
{
	free(all->list);
}
