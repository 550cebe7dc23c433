/* SPDX-License-Identifier: MIT */
#include <stdio.h>

#include <vmspace.h>
#ifdef WITH_GROUP
#include <vmspace/group.h>
#endif

/* Each struct of figures as JSON, behind its name: see stat_members.py. */

static char text[16384];

#define TELL(type, write)                                                   \
	do {                                                                \
		const struct type figures = { .struct_size = sizeof(figures) }; \
		if (write(&figures, text, sizeof(text)) < 0)                \
			return 1;                                           \
		printf("%s %s\n", #type, text);                             \
	} while (0)

int main(void)
{
	TELL(vms_stat, vms_stat_to_json);
	TELL(vms_space_stats, vms_space_stats_to_json);
	TELL(vms_buffer_stats, vms_buffer_stats_to_json);
	TELL(vms_heap_stats, vms_heap_stats_to_json);
	TELL(vms_file_stats, vms_file_stats_to_json);
	TELL(vms_share_stats, vms_share_stats_to_json);
	TELL(vms_ring_stats, vms_ring_stats_to_json);
	TELL(vms_stacks_stats, vms_stacks_stats_to_json);
	TELL(vms_code_stats, vms_code_stats_to_json);
	TELL(vms_pool_stats, vms_pool_stats_to_json);
	TELL(vms_budget_stats, vms_budget_stats_to_json);
#ifdef WITH_GROUP
	TELL(vms_group_stats, vms_group_stats_to_json);
#endif
	return 0;
}
