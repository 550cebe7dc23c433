/* SPDX-License-Identifier: MIT */
#include "cli/top/walk.h"

#define MILLISECOND UINT64_C(1000000)
/* Of 10,000 parts of the time: what all may take, and walks at least. */
#define ALL_PARTS 85
#define LEAST_PARTS 10
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

void vmsi_top_credit_earn(struct vmsi_top_credit *credit, uint64_t now, int64_t taken)
{
	/* What is older earns no more than there can be. */
	const uint64_t most = (uint64_t)VMSI_TOP_CREDIT_MOST * 10000 / LEAST_PARTS;
	const bool is_first = credit->at == 0;
	const int64_t passed = (int64_t)(now - credit->at < most ? now - credit->at : most);
	const int64_t least = passed * LEAST_PARTS / 10000;
	const int64_t earned = passed * ALL_PARTS / 10000 - taken;

	credit->left += earned > least ? earned : least;
	if (is_first || credit->left > VMSI_TOP_CREDIT_MOST)
		credit->left = VMSI_TOP_CREDIT_MOST;
	credit->at = now;
}
