/* SPDX-License-Identifier: MIT */
#include "cli/commit/refusals.h"

#include <errno.h>
#include <stdlib.h>

#include <vmspace.h>

/* --- a process ------------------------------------------------------------ */

static struct vmsi_balance largest_request(const struct vmsi_commit_figures *figures,
					   const struct vmsi_commit_holder *holder)
{
	switch (figures->mode) {
	case VMSI_MODE_STRICT:
		return vmsi_commit_left_for(&figures->left, holder->exemption,
					    holder->mapped);
	case VMSI_MODE_HEURISTIC:
		return (struct vmsi_balance){
			.error = figures->largest_request.error,
			.bytes = figures->largest_request.value,
		};
	default:
		return (struct vmsi_balance){ .error = -ENODATA };
	}
}

static bool exceeds(uint64_t bytes, const struct vmsi_balance *balance)
{
	return bytes > (balance->passed ? 0 : balance->bytes);
}

/* In mode 2 the sum counts; in mode 0 the kernel looks at each mapping by itself. */
static unsigned refused_by_limit(const struct vmsi_commit_holder *holder,
				 const struct vmsi_balance *may_ask, uint64_t page)
{
	unsigned refused = 0;

	if (exceeds(page, may_ask))
		return VMSI_REFUSED_ALL;
	if (exceeds(holder->forked, may_ask))
		refused |= VMSI_REFUSED_FORK;
	if (exceeds(holder->uncharged, may_ask))
		refused |= VMSI_REFUSED_START;
	return refused;
}

struct vmsi_refusal
vmsi_refusal_of(const struct vmsi_commit_figures *figures,
		const struct vmsi_commit_holder *holder)
{
	struct vmsi_refusal refusal = {
		.holder = holder,
		.may_ask = largest_request(figures, holder),
	};

	if (refusal.may_ask.error)
		return refusal;
	if (figures->mode == VMSI_MODE_STRICT)
		refusal.refused = refused_by_limit(holder, &refusal.may_ask,
						   figures->left.page);
	else if (exceeds(holder->largest_forked, &refusal.may_ask))
		refusal.refused = VMSI_REFUSED_FORK;
	return refusal;
}

/* --- all of them ---------------------------------------------------------- */

/* Holders that are equal are in the order of the audit, which is one array. */
static int compare(const void *left, const void *right)
{
	const struct vmsi_refusal *a = left, *b = right;

	if (!a->refused != !b->refused)
		return a->refused ? -1 : 1;
	return (a->holder > b->holder) - (a->holder < b->holder);
}

int vmsi_refusals_read(struct vmsi_refusals *refusals,
		       const struct vmsi_commit_figures *figures,
		       const struct vmsi_audit *audit)
{
	*refusals = (struct vmsi_refusals){
		.list = calloc(audit->count + 1, sizeof(*refusals->list)),
	};
	if (!refusals->list)
		return -ENOMEM;
	for (size_t i = 0; i < audit->count; i++) {
		refusals->list[i] = vmsi_refusal_of(figures, &audit->holders[i]);
		refusals->refused_count += refusals->list[i].refused != 0;
	}
	refusals->count = audit->count;
	qsort(refusals->list, refusals->count, sizeof(*refusals->list), compare);
	return 0;
}

void vmsi_refusals_free(struct vmsi_refusals *refusals)
{
	free(refusals->list);
	*refusals = (struct vmsi_refusals){ 0 };
}

uint64_t vmsi_refusals_left_of_budget(const struct vmsi_budget_seen *budget)
{
	const struct vmsi_budget_figures *figures = &budget->figures;

	if (budget->error || figures->policy != VMS_COMMIT_STRICT ||
	    figures->limit < figures->charged)
		return 0;
	return figures->limit - figures->charged;
}
