/* SPDX-License-Identifier: MIT */
#include "cli/commit/commit.h"

#include <inttypes.h>
#include <stdbool.h>

#include "cli/output/json.h"
#include "cli/policy.h"

#define FORMAT "vmspace commit"
/* Is counted up when a member changes its meaning or goes; more may come meanwhile. */
#define FORMAT_VERSION 1

/* Each object has all its members; null stands for what is not known. */

static json_t *reading(struct vmsi_reading number)
{
	return number.error ? json_null() : vmsi_json_amount(number.value);
}

/* The amount is negative where more than the limit is committed. */
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

	return json_pack("{s:o,s:o,s:o}",
		"mode",
		reading(report->sources.settings[VMSI_OVERCOMMIT_MEMORY]),
		"name", mode == VMSI_MODE_UNKNOWN ? json_null() :
		json_string(vmsi_policy_word((enum vms_commit_policy)mode)),
		"largest_request", mode == VMSI_MODE_HEURISTIC ?
			reading(figures->largest_request) : json_null());
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
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
		"basis", basis(limit->basis),
		"ram", reading(limit->ram),
		"huge_pages", reading(limit->huge_pages),
		"usable", reading(limit->usable),
		"ratio", reading(limit->ratio),
		"share", reading(limit->share),
		"swap", reading(limit->swap),
		"sum", reading(limit->sum),
		"kernel", reading(limit->kernel));
}

static json_t *exemption(enum vmsi_exemption exemption)
{
	return exemption == VMSI_EXEMPT_UNKNOWN ? json_null() :
		json_boolean(exemption == VMSI_EXEMPT_YES);
}

static json_t *left_object(const struct vmsi_commit_left *left)
{
	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
		"limit", reading(left->limit),
		"admin_reserve", reading(left->admin_reserve),
		"admin_exempt", exemption(left->exemption),
		"admin_taken", reading(left->admin_taken),
		"committed", reading(left->committed),
		"page", vmsi_json_amount(left->page),
		"small", balance(&left->small),
		"user_reserve", reading(left->user_reserve),
		"large_size", reading(left->large_size),
		"large", balance(&left->large));
}

static json_t *holder_array(const struct vmsi_budget_seen *budget)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < budget->holder_count && !failed; i++) {
		const struct vmsi_budget_holder *holder = &budget->holders[i];

		failed |= json_array_append_new(array, json_pack("{s:i,s:o}",
			"pid", (int)holder->pid,
			"command", vmsi_json_text(holder->command)));
	}
	return vmsi_json_complete(array, failed);
}

/* null for a budget that cannot be read. */
static json_t *figures_object(const struct vmsi_budget_seen *budget)
{
	const struct vmsi_budget_figures *figures = &budget->figures;

	if (budget->error)
		return json_null();
	return json_pack("{s:o,s:o,s:s,s:o,s:o,s:o,s:o,s:o,s:o}",
		"name", vmsi_json_text(figures->name),
		"label", vmsi_json_text(figures->label),
		"policy", vmsi_policy_word(figures->policy),
		"limit", vmsi_json_amount(figures->limit),
		"charged", vmsi_json_amount(figures->charged),
		"peak", vmsi_json_amount(figures->peak),
		"refusals", vmsi_json_amount(figures->refusals),
		"processes", vmsi_json_amount(figures->processes),
		"maker", vmsi_json_amount(figures->maker));
}

static json_t *budget_object(const struct vmsi_budget_seen *budget)
{
	return json_pack("{s:o,s:o,s:o}",
		"inode", json_sprintf("%" PRIu64, (uint64_t)budget->inode),
		"figures", figures_object(budget),
		"holders", holder_array(budget));
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

/* --- who holds it --------------------------------------------------------- */

static json_t *committed_array(const struct vmsi_audit *audit)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < audit->count && !failed; i++) {
		const struct vmsi_commit_holder *holder = &audit->holders[i];

		failed |= json_array_append_new(array, json_pack("{s:i,s:o,s:o}",
			"pid", (int)holder->pid,
			"command", vmsi_json_text(holder->command),
			"committed", vmsi_json_amount(holder->committed)));
	}
	return vmsi_json_complete(array, failed);
}

/* What is not even counted among the hidden. */
static json_t *omissions(const struct vmsi_audit *audit)
{
	json_t *array = json_array();
	int failed = 0;

	if (audit->omits_others)
		failed |= json_array_append_new(array, json_string("hidepid"));
	if (audit->omits_outside)
		failed |= json_array_append_new(array, json_string("namespace"));
	return vmsi_json_complete(array, failed);
}

static json_t *audit_object(const struct vmsi_audit *audit)
{
	const uint64_t *shared = audit->shared;

	return json_pack("{s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
		"committed_before", vmsi_json_amount(audit->before),
		"committed", vmsi_json_amount(audit->after),
		"explained", vmsi_json_amount(vmsi_audit_explained(audit)),
		"processes", committed_array(audit),
		"shared_anonymous",
		vmsi_json_amount(shared[VMSI_SHARED_ANONYMOUS]),
		"system_v", vmsi_json_amount(shared[VMSI_SHARED_SYSTEM_V]),
		"memfd", vmsi_json_amount(shared[VMSI_SHARED_MEMFD]),
		"tmpfs", vmsi_json_amount(shared[VMSI_SHARED_TMPFS]),
		"elsewhere", vmsi_json_amount(shared[VMSI_SHARED_ELSEWHERE]),
		"hidden", vmsi_json_amount(audit->hidden),
		"hidden_most", vmsi_json_amount(audit->hidden_most),
		"not_listed", omissions(audit));
}

/* --- whom a supposition refuses -------------------------------------------- */

/* How much a request may have; null where there is no bound, or it is not known. */
static json_t *may_ask(const struct vmsi_balance *left)
{
	if (left->error)
		return json_null();
	return vmsi_json_amount(left->passed ? 0 : left->bytes);
}

static json_t *refusal_object(const struct vmsi_refusal *refusal)
{
	const struct vmsi_commit_holder *holder = refusal->holder;
	const unsigned refused = refusal->refused;

	return json_pack("{s:i,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:{s:b,s:b,s:b}}",
		"pid", (int)holder->pid,
		"command", vmsi_json_text(holder->command),
		"committed", vmsi_json_amount(holder->committed),
		"forked", vmsi_json_amount(holder->forked),
		"largest_forked", vmsi_json_amount(holder->largest_forked),
		"uncharged", vmsi_json_amount(holder->uncharged),
		"admin_exempt", exemption(holder->exemption),
		"may_ask", may_ask(&refusal->may_ask),
		"refused",
		"everything", (refused & VMSI_REFUSED_ALL) != 0,
		"fork", (refused & (VMSI_REFUSED_ALL | VMSI_REFUSED_FORK)) != 0,
		"start", (refused & (VMSI_REFUSED_ALL | VMSI_REFUSED_START)) != 0);
}

static json_t *refusal_array(const struct vmsi_refusals *refusals)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < refusals->count && !failed; i++)
		failed |= json_array_append_new(array,
			refusal_object(&refusals->list[i]));
	return vmsi_json_complete(array, failed);
}

static json_t *refusals_object(const struct vmsi_commit_report *report)
{
	return json_pack("{s:o,s:o}",
		"processes", refusal_array(&report->refusals),
		"hidden", vmsi_json_amount(report->audit.hidden));
}

/* --- all ------------------------------------------------------------------- */

static json_t *group_object(const struct vmsi_commit_group *group)
{
	if (!group->is_limited)
		return json_null();
	return json_pack("{s:o,s:o,s:o,s:o}",
		"path", vmsi_json_text(group->path),
		"limit", vmsi_json_amount(group->limit),
		"in_use", vmsi_json_amount(group->in_use),
		"left", vmsi_json_amount(group->left));
}

static json_t *report_object(const struct vmsi_commit_report *report)
{
	const bool listed = report->budgets_error == 0;

	const bool audited = report->is_audited && report->audit_error == 0;
	const bool supposed = report->sources.is_supposed &&
		report->audit_error == 0;

	return json_pack("{s:s,s:i,s:b,s:o,s:o,s:o,s:o,s:o,s:o,s:o,s:o}",
		"format", FORMAT, "version", FORMAT_VERSION,
		"supposed", report->sources.is_supposed,
		"policy", policy_object(report),
		"limit", limit_object(&report->figures.limit),
		"left", left_object(&report->figures.left),
		"control_group", group_object(&report->group),
		"audit", audited ? audit_object(&report->audit) : json_null(),
		"refusals", supposed ? refusals_object(report) : json_null(),
		"budgets",
		listed ? budget_array(&report->budgets) : json_null(),
		"hidden_processes",
		listed ? vmsi_json_amount(report->budgets.hidden) : json_null());
}

int vmsi_commit_write_json(const struct vmsi_commit_report *report)
{
	return vmsi_json_print(report_object(report));
}
