/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_VALUE_H
#define VMSI_CLI_TOP_VALUE_H

#include "cli/top/columns.h"
#include "text/size.h"

/* A figure as it is shown: "-" where it is not known, with "~" in front where it is old. */
struct vmsi_top_value {
	char text[32];
};

struct vmsi_top_value vmsi_top_value(const struct vmsi_top_figures *figures,
				     enum vmsi_top_column column,
				     enum vmsi_size_style style);

#endif
