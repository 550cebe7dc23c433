/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include <vmspace/stat.h>

#include "space/inside.h"

/* The room of budgets knows of no space, nor of what other objects have in common. */
int vms_stat_budget(vms_budget *budget, unsigned flags, struct vms_stat *stat)
{
	struct vms_budget_stats stats = { .struct_size = sizeof(stats) };
	struct vms_stat known;
	int error = vmsi_stat_check(budget, flags, stat);

	if (!error && vms_budget_get_stats(budget, &stats))
		error = -errno;
	if (!error)
		known = (struct vms_stat){
			.known = VMS_STAT_COMMITTED | VMS_STAT_COMMITTED_PEAK |
				VMS_STAT_LIMIT | VMS_STAT_REFUSALS,
			.committed = stats.committed,
			.committed_peak = stats.committed_peak,
			.limit = stats.limit,
			.refusals = stats.refusals,
		};
	return vmsi_stat_give(error, &known, stat);
}
