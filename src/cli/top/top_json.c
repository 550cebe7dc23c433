/* SPDX-License-Identifier: MIT */
#include "cli/top/writers.h"

#include <errno.h>
#include <string.h>

#include "cli/output/json.h"

/* Amounts are in bytes; null stands for what was not read. */

static json_t *figure(const struct vmsi_top_figures *figures,
		      enum vmsi_top_column column)
{
	return vmsi_top_is_fresh(figures, column) ?
		json_integer((json_int_t)figures->of[column]) : json_null();
}

static int set_figures(json_t *object, const struct vmsi_top_figures *figures)
{
	int failed = 0;

	for (enum vmsi_top_column i = 0; i < VMSI_TOP_COLUMNS; i++)
		failed |= json_object_set_new(object, vmsi_top_columns[i].name,
					      figure(figures, i));
	return failed;
}

static json_t *process_json(const struct vmsi_top_row *row)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o}",
		"pid", vmsi_json_amount(row->id.number),
		"started", vmsi_json_amount(row->id.born),
		"parent", vmsi_json_amount(row->parent),
		"name", vmsi_json_text(row->name),
		"minor_faults_total", row->counts_faults ?
			vmsi_json_amount(row->minor) : json_null(),
		"major_faults_total", row->counts_faults ?
			vmsi_json_amount(row->major) : json_null());
}

static json_t *owner_json(const struct vmsi_top_row *row)
{
	return json_pack("{s:s,s:o,s:b}", "kind", row->kind,
			 "name", vmsi_json_text(row->name),
			 "deleted", row->is_deleted);
}

static json_t *line_json(const struct vmsi_top_line *line)
{
	const struct vmsi_top_row *row = line->row;
	json_t *object = row->kind ? owner_json(row) : process_json(row);

	return vmsi_json_complete(object, set_figures(object, &line->figures));
}

static json_t *lines_json(const struct vmsi_top_model *model)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < model->line_count && !failed; i++)
		failed |= json_array_append_new(array, line_json(&model->lines[i]));
	return vmsi_json_complete(array, failed);
}

static json_t *machine_json(const struct vmsi_top_machine *machine)
{
	const struct vmsi_meminfo *meminfo = &machine->meminfo;

	if (!machine->is_known)
		return json_null();
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
		"ram", vmsi_json_amount(meminfo->ram),
		"ram_available", vmsi_json_amount(meminfo->ram_available),
		"swap", vmsi_json_amount(meminfo->swap),
		"swap_free", vmsi_json_amount(meminfo->swap_free),
		"commit_limit", meminfo->tells_commit ?
			vmsi_json_amount(meminfo->commit_limit) : json_null(),
		"overcommit_mode", machine->tells_mode ?
			vmsi_json_amount(machine->mode) : json_null(),
		"committed", meminfo->tells_commit ?
			vmsi_json_amount(meminfo->committed) : json_null());
}

static json_t *amount_if(bool is_told, uint64_t amount)
{
	return is_told ? vmsi_json_amount(amount) : json_null();
}

static json_t *limit_json(const struct vmsi_top_limit *limit)
{
	static const char *const kinds[] = {
		[VMSI_TOP_LIMIT_SUPERVISED] = "supervised",
		[VMSI_TOP_LIMIT_KEPT] = "kept by the kernel",
		[VMSI_TOP_LIMIT_MEMORY] = "memory",
	};
	const bool is_supervised = limit->kind == VMSI_TOP_LIMIT_SUPERVISED;
	const bool is_memory = limit->kind == VMSI_TOP_LIMIT_MEMORY;

	if (!limit->is_known)
		return json_null();
	return json_pack("{s:o,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:b}",
		"name", vmsi_json_text(limit->name),
		"kind", kinds[limit->kind],
		"pid", amount_if(is_supervised, (uint64_t)limit->first),
		"limit", vmsi_json_amount(limit->limit),
		"committed", amount_if(!is_memory, limit->committed),
		"in_use", amount_if(is_memory, limit->committed),
		"peak", amount_if(is_supervised, limit->peak),
		"refused", amount_if(!is_memory, limit->refusals),
		"processes", amount_if(is_supervised, limit->processes),
		"ended", limit->has_ended);
}

int vmsi_top_write_json(const struct vmsi_top_model *model, enum vmsi_top_view view)
{
	json_t *total = json_object();
	const int failed = set_figures(total, &model->total);
	const bool is_process = view == VMSI_TOP_VIEW_PROCESS;

	return vmsi_json_print(json_pack("{s:s,s:i,s:s,s:o,s:b,s:o,s:o,s:o,s:o,s:o}",
		"format", VMSI_TOP_FORMAT, "version", VMSI_TOP_VERSION,
		"view", vmsi_top_views[view],
		"seconds", model->seconds > 0 ? json_real(model->seconds) :
			json_null(),
		"ended", model->has_ended,
		"not_told", vmsi_json_amount(model->untold),
		"machine", machine_json(&model->machine),
		"limit", limit_json(&model->limit),
		"total", vmsi_json_complete(total, failed),
		is_process ? "owners" : "processes", lines_json(model)));
}
