/* SPDX-License-Identifier: MIT */
#include "cli/top/walk.h"

#define MILLISECOND UINT64_C(1000000)
/* One thousandth of what is earned of each unit of time, times ten. */
#define EARNED_OF_10000 35
/* How many times as fast it becomes urgent. */
#define SHOWN 8
#define UNKNOWN 8

void vmsi_top_walk_meet(struct vmsi_top_walk *walk, const struct vmsi_top_entry *entry,
			uint64_t now)
{
	if (walk->at == 0 || walk->born != entry->id.born)
		*walk = (struct vmsi_top_walk){ .born = entry->id.born, .at = now };
}

bool vmsi_top_walk_is_old(const struct vmsi_top_walk *walk,
			  const struct vmsi_top_entry *entry)
{
	return walk->addresses != entry->addresses ||
		walk->writable != entry->figures.of[VMSI_TOP_WRITABLE];
}

uint64_t vmsi_top_walk_urgency(const struct vmsi_top_walk *walk,
			       const struct vmsi_top_entry *entry, uint64_t now)
{
	const bool is_wanted = !walk->is_put_off &&
		(!walk->is_known || vmsi_top_walk_is_old(walk, entry));
	const uint64_t age = now > walk->at ? now - walk->at : 0;

	if (entry->figures.of[VMSI_TOP_RESIDENT] > VMSI_TOP_WALK_RESIDENT)
		return 0;
	if (!is_wanted && age < VMSI_TOP_WALK_KEPT)
		return 0;
	return (age / MILLISECOND + 1) * (entry->is_shown ? SHOWN : 1) *
		(is_wanted ? UNKNOWN : 1);
}

void vmsi_top_credit_earn(struct vmsi_top_credit *credit, uint64_t now)
{
	/* What is older earns no more than there can be. */
	const uint64_t most = (uint64_t)VMSI_TOP_CREDIT_MOST * 10000 / EARNED_OF_10000;
	const uint64_t passed = now - credit->at;

	credit->left = credit->at && passed < most ? credit->left +
		(int64_t)(passed * EARNED_OF_10000 / 10000) : VMSI_TOP_CREDIT_MOST;
	if (credit->left > VMSI_TOP_CREDIT_MOST)
		credit->left = VMSI_TOP_CREDIT_MOST;
	credit->at = now;
}
