/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include "budget/member.h"

/* A shared budget that only shows what its owner has found out. */

static void set_label(struct vmsi_budget_head *head, const char *label)
{
	size_t length = strnlen(label, VMSI_BUDGET_LABEL_MAX);

	memset(head->label, 0, sizeof(head->label));
	memcpy(head->label, label, length);
}

int vmsi_budget_publish(struct vms_budget *budget,
			const struct vmsi_budget_publication *publication)
{
	struct vmsi_budget_head *head;
	int error = -EINVAL;

	vmsi_budget_enter(budget);
	if (budget->shared && budget->ledger.charged == 0 && !budget->users) {
		head = &budget->shared->head;
		vmsi_member_leave(budget);
		budget->is_published = true;
		atomic_store(&head->charged, publication->charged);
		atomic_store(&head->peak, publication->peak);
		atomic_store(&head->refusals, publication->refusals);
		atomic_store(&head->processes, publication->processes);
		if (publication->label)
			set_label(head, publication->label);
		atomic_store(&head->kind, VMSI_BUDGET_PUBLISHED);
		error = 0;
	}
	vmsi_budget_leave();
	return error;
}
