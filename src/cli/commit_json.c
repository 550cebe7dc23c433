/* SPDX-License-Identifier: MIT */
#include "commit.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "text.h"

/*
 * Every member is always there; null says that it is not known. The functions
 * that make a value return NULL where there is no memory, and
 * json_object_set_new refuses NULL, so that one check a value is enough.
 */

static json_t *amount(uint64_t number)
{
	/* More than any machine has. */
	if (number > INT64_MAX)
		number = INT64_MAX;
	return json_integer((json_int_t)number);
}

static json_t *reading(struct vmsi_reading number)
{
	return number.error ? json_null() : amount(number.value);
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

/* Text that others chose, escaped as it is for a terminal; null for "". */
static json_t *escaped(const char *text)
{
	char *copy = NULL;
	size_t length;
	FILE *stream;
	json_t *string;

	if (text[0] == '\0')
		return json_null();
	stream = open_memstream(&copy, &length);
	if (!stream)
		return NULL;
	vmsi_write_escaped(stream, text);
	if (fclose(stream)) {
		free(copy);
		return NULL;
	}
	string = json_string(copy);
	free(copy);
	return string;
}

/* object, or NULL where one of its members could not be set. */
static json_t *complete(json_t *object, int failed)
{
	if (!failed)
		return object;
	json_decref(object);
	return NULL;
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
	return complete(object, failed);
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
	return complete(object, failed);
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
	failed |= json_object_set_new(object, "page", amount(left->page));
	failed |= json_object_set_new(object, "small", balance(&left->small));
	failed |= json_object_set_new(object, "user_reserve",
				      reading(left->user_reserve));
	failed |= json_object_set_new(object, "large_size",
				      reading(left->large_size));
	failed |= json_object_set_new(object, "large", balance(&left->large));
	return complete(object, failed);
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
					      escaped(holder->command));
		failed |= json_array_append_new(array,
						complete(object, failed));
	}
	return complete(array, failed);
}

static int set_figures(json_t *object,
		       const struct vmsi_budget_figures *figures)
{
	int failed = 0;

	failed |= json_object_set_new(object, "name", escaped(figures->name));
	failed |= json_object_set_new(object, "label", escaped(figures->label));
	failed |= json_object_set_new(object, "policy",
		json_string(vmsi_policy_word(figures->policy)));
	failed |= json_object_set_new(object, "limit", amount(figures->limit));
	failed |= json_object_set_new(object, "charged",
				      amount(figures->charged));
	failed |= json_object_set_new(object, "peak", amount(figures->peak));
	failed |= json_object_set_new(object, "refusals",
				      amount(figures->refusals));
	failed |= json_object_set_new(object, "processes",
				      amount(figures->processes));
	failed |= json_object_set_new(object, "maker", amount(figures->maker));
	return failed;
}

/* figures is null for a budget that cannot be read. */
static json_t *figures_object(const struct vmsi_budget_seen *budget)
{
	json_t *object;

	if (budget->error)
		return json_null();
	object = json_object();
	return complete(object, set_figures(object, &budget->figures));
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
	return complete(object, failed);
}

static json_t *budget_array(const struct vmsi_budget_list *list)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; i < list->count && !failed; i++)
		failed |= json_array_append_new(array,
			budget_object(&list->budgets[i]));
	return complete(array, failed);
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
		amount(report->budgets.hidden) : json_null());
	return complete(object, failed);
}

int vmsi_commit_write_json(const struct vmsi_commit_report *report)
{
	json_t *object = report_object(report);

	if (!object)
		return -ENOMEM;
	if (json_dumpf(object, stdout, JSON_INDENT(2)) == 0)
		putchar('\n');
	json_decref(object);
	return 0;
}
