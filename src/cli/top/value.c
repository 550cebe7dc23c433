/* SPDX-License-Identifier: MIT */
#include "cli/top/value.h"

#include <inttypes.h>
#include <stdio.h>

#include "text/size.h"

static struct vmsi_top_value amount_text(int64_t bytes, bool has_sign)
{
	const uint64_t amount = bytes < 0 ? 0 - (uint64_t)bytes : (uint64_t)bytes;
	struct vmsi_top_value value;

	snprintf(value.text, sizeof(value.text), "%s%s", bytes < 0 ? "-" :
		 has_sign && bytes > 0 ? "+" : "",
		 vmsi_size_text(amount, VMSI_SIZE_HUMAN).text);
	return value;
}

struct vmsi_top_value vmsi_top_value(const struct vmsi_top_figures *figures,
				     enum vmsi_top_column column)
{
	const enum vmsi_top_unit unit = vmsi_top_columns[column].unit;
	struct vmsi_top_value value = { "-" };

	if (!vmsi_top_is_known(figures, column))
		return value;
	if (unit == VMSI_TOP_BYTES || unit == VMSI_TOP_BYTES_A_SECOND)
		return amount_text(figures->of[column],
				   unit == VMSI_TOP_BYTES_A_SECOND);
	snprintf(value.text, sizeof(value.text), "%" PRId64, figures->of[column]);
	return value;
}
