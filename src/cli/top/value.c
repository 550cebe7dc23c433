/* SPDX-License-Identifier: MIT */
#include "cli/top/value.h"

#include <inttypes.h>
#include <stdio.h>

static struct vmsi_size_text amount_text(int64_t bytes, enum vmsi_size_style style)
{
	return vmsi_size_text(bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes, style);
}

/* What stands in front of an amount. */
static const char *mark_of(const struct vmsi_top_figures *figures,
			   enum vmsi_top_column column)
{
	const int64_t amount = figures->of[column];

	if (!vmsi_top_is_fresh(figures, column))
		return "~";
	if (amount < 0)
		return "-";
	return amount > 0 && vmsi_top_columns[column].unit == VMSI_TOP_BYTES_A_SECOND ?
		"+" : "";
}

struct vmsi_top_value vmsi_top_value(const struct vmsi_top_figures *figures,
				     enum vmsi_top_column column,
				     enum vmsi_size_style style)
{
	const enum vmsi_top_unit unit = vmsi_top_columns[column].unit;
	struct vmsi_top_value value = { "-" };

	if (!vmsi_top_is_known(figures, column))
		return value;
	if (unit == VMSI_TOP_BYTES || unit == VMSI_TOP_BYTES_A_SECOND)
		snprintf(value.text, sizeof(value.text), "%s%s",
			 mark_of(figures, column),
			 amount_text(figures->of[column], style).text);
	else
		snprintf(value.text, sizeof(value.text), "%" PRId64,
			 figures->of[column]);
	return value;
}
