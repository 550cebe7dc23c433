/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_REPORT_ASKED_H
#define VMSI_CLI_REPORT_ASKED_H

#include "cli/report/report.h"

/* Who has asked for memory and got it: the calls of a recording, by stack. */

struct vmsi_asked {
	uint32_t stack;     /* VMSI_NOBODY: of all calls without one */
	uint32_t process;   /* VMSI_NOBODY: several, or it was not seen */
	const char *call;   /* of the first */
	uint64_t count;
	uint64_t size, charged; /* bytes; where it does not fit, the most that does */
};

struct vmsi_asked_list {
	struct vmsi_asked *list; /* what was charged most comes first */
	size_t count;
	struct vmsi_asked all;
};

/* Of what is in view. Returns 0 or -ENOMEM; the list needs vmsi_asked_free after 0. */
int vmsi_asked_make(struct vmsi_asked_list *asked,
		    const struct vmsi_report_view *view);
void vmsi_asked_free(struct vmsi_asked_list *asked);

#endif
