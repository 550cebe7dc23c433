/* SPDX-License-Identifier: MIT */
#include "cli/commit/commit.h"

#include <inttypes.h>
#include <stdbool.h>

#include "cli/output/json.h"
#include "cli/policy.h"

/* Every member is always there; null says that it is not known. */

static json_t *reading(struct vmsi_reading number)
{
	return number.error ? json_null() : vmsi_json_amount(number.value);
}

/* Below 0 where the limit is passed. */
static json_t *balance(const struct vmsi_balance *rest)
{
	json_int_t bytes = rest->bytes > INT64_MAX ? INT64_MAX :
						     (json_int_t)rest->bytes;

	if (rest->error)
		return json_null();
	return json_integer(rest->passed ? -bytes : bytes);
}

static json_t *policy_object(const struct vmsi_commit_report *report)
{
	const struct vmsi_commit_figures *figures = &report->figures;
	const enum vmsi_commit_mode mode = figures->mode;
	json_t *object = json_object();
	int failed = 0;

	failed |= json_object_set_new(object, "mode",
		reading(report->sources.settings[VMSI_OVERCOMMIT_MEMORY]));
	failed |= json_object_set_new(object, "name",
		mode == VMSI_MODE_UNKNOWN ? json_null() :
		json_string(vmsi_policy_word((enum vms_commit_policy)mode)));
	failed |= json_object_set_new(object, "largest_request",
		mode == VMSI_MODE_HEURISTIC ?
		reading(figures->largest_request) : json_null());
	return vmsi_json_complete(object, failed);
}

static json_t *basis(enum vmsi_commit_basis basis)
{
	static const char *const words[] = {
		[VMSI_BASIS_RATIO] = "ratio",
		[VMSI_BASIS_KBYTES] = "kbytes",
	};

	return basis == VMSI_BASIS_UNKNOWN ? json_null() :
					     json_string(words[basis]);
}

static json_t *limit_object(const struct vmsi_commit_limit *limit)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= json_object_set_new(object, "basis", basis(limit->basis));
	failed |= json_object_set_new(object, "ram", reading(limit->ram));
	failed |= json_object_set_new(object, "huge_pages",
				      reading(limit->huge_pages));
	failed |= json_object_set_new(object, "usable", reading(limit->usable));
	failed |= json_object_set_new(object, "ratio", reading(limit->ratio));
	failed |= json_object_set_new(object, "share", reading(limit->share));
	failed |= json_object_set_new(object, "swap", reading(limit->swap));
	failed |= json_object_set_new(object, "sum", reading(limit->sum));
	failed |= json_object_set_new(object, "kernel", reading(limit->kernel));
	return vmsi_json_complete(object, failed);
}

static json_t *exemption(enum vmsi_exemption exemption)
{
	return exemption == VMSI_EXEMPT_UNKNOWN ? json_null() :
		json_boolean(exemption == VMSI_EXEMPT_YES);
}

static json_t *left_object(const struct vmsi_commit_left *left)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= json_object_set_new(object, "limit", reading(left->limit));
	failed |= json_object_set_new(object, "admin_reserve",
				      reading(left->admin_reserve));
	failed |= json_object_set_new(object, "admin_exempt",
				      exemption(left->exemption));
	failed |= json_object_set_new(object, "admin_taken",
				      reading(left->admin_taken));
	failed |= json_object_set_new(object, "committed",
				      reading(left->committed));
	failed |= json_object_set_new(object, "page",
				      vmsi_json_amount(left->page));
	failed |= json_object_set_new(object, "small", balance(&left->small));
	failed |= json_object_set_new(object, "user_reserve",
				      reading(left->user_reserve));
	failed |= json_object_set_new(object, "large_size",
				      reading(left->large_size));
	failed |= json_object_set_new(object, "large", balance(&left->large));
	return vmsi_json_complete(object, failed);
}

static json_t *holder_array(const struct vmsi_budget_seen *budget)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < budget->holder_count && !failed; i++) {
		const struct vmsi_budget_holder *holder = &budget->holders[i];
		json_t *object = json_object();

		failed |= json_object_set_new(object, "pid",
					      json_integer(holder->pid));
		failed |= json_object_set_new(object, "command",
					      vmsi_json_text(holder->command));
		failed |= json_array_append_new(array,
			vmsi_json_complete(object, failed));
	}
	return vmsi_json_complete(array, failed);
}

static int set_figures(json_t *object,
		       const struct vmsi_budget_figures *figures)
{
	int failed = 0;

	failed |= json_object_set_new(object, "name",
				      vmsi_json_text(figures->name));
	failed |= json_object_set_new(object, "label",
				      vmsi_json_text(figures->label));
	failed |= json_object_set_new(object, "policy",
		json_string(vmsi_policy_word(figures->policy)));
	failed |= json_object_set_new(object, "limit",
				      vmsi_json_amount(figures->limit));
	failed |= json_object_set_new(object, "charged",
				      vmsi_json_amount(figures->charged));
	failed |= json_object_set_new(object, "peak",
				      vmsi_json_amount(figures->peak));
	failed |= json_object_set_new(object, "refusals",
				      vmsi_json_amount(figures->refusals));
	failed |= json_object_set_new(object, "processes",
				      vmsi_json_amount(figures->processes));
	failed |= json_object_set_new(object, "maker",
				      vmsi_json_amount(figures->maker));
	return failed;
}

/* figures is null for a budget that cannot be read. */
static json_t *figures_object(const struct vmsi_budget_seen *budget)
{
	json_t *object;

	if (budget->error)
		return json_null();
	object = json_object();
	return vmsi_json_complete(object,
				  set_figures(object, &budget->figures));
}

static json_t *budget_object(const struct vmsi_budget_seen *budget)
{
	json_t *object = json_object();
	int failed = 0;

	failed |= json_object_set_new(object, "inode",
		json_sprintf("%" PRIu64, (uint64_t)budget->inode));
	failed |= json_object_set_new(object, "figures",
				      figures_object(budget));
	failed |= json_object_set_new(object, "holders", holder_array(budget));
	return vmsi_json_complete(object, failed);
}

static json_t *budget_array(const struct vmsi_budget_list *list)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < list->count && !failed; i++)
		failed |= json_array_append_new(array,
			budget_object(&list->budgets[i]));
	return vmsi_json_complete(array, failed);
}

static json_t *report_object(const struct vmsi_commit_report *report)
{
	const bool listed = report->budgets_error == 0;
	json_t *object = json_object();
	int failed = 0;

	failed |= json_object_set_new(object, "policy", policy_object(report));
	failed |= json_object_set_new(object, "limit",
				      limit_object(&report->figures.limit));
	failed |= json_object_set_new(object, "left",
				      left_object(&report->figures.left));
	failed |= json_object_set_new(object, "budgets", listed ?
		budget_array(&report->budgets) : json_null());
	failed |= json_object_set_new(object, "hidden_processes", listed ?
		vmsi_json_amount(report->budgets.hidden) : json_null());
	return vmsi_json_complete(object, failed);
}

int vmsi_commit_write_json(const struct vmsi_commit_report *report)
{
	return vmsi_json_print(report_object(report));
}
