/* SPDX-License-Identifier: MIT */
#include "cli/report/asked.h"

#include <errno.h>
#include <stdlib.h>

/* A damaged recording may tell of any sizes. */
static uint64_t sum(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void add(struct vmsi_asked *asked, const struct vmsi_recorded_event *event)
{
	if (asked->count == 0) {
		asked->call = event->call;
		asked->process = event->process;
	} else if (asked->process != event->process) {
		asked->process = VMSI_NOBODY;
	}
	asked->count = sum(asked->count, event->count);
	asked->size = sum(asked->size, event->size);
	asked->charged = sum(asked->charged, event->commit);
}

static int compare(const void *left, const void *right)
{
	const struct vmsi_asked *a = left, *b = right;

	if (a->charged != b->charged)
		return a->charged < b->charged ? 1 : -1;
	return a->stack < b->stack ? -1 : 1;
}

/* Leave out the stacks that nobody has asked with. */
static size_t close_ranks(struct vmsi_asked *list, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (list[i].count)
			list[kept++] = list[i];
	return kept;
}

int vmsi_asked_make(struct vmsi_asked_list *asked,
		    const struct vmsi_report_view *view)
{
	const struct vmsi_recording *recording = view->recording;
	const size_t stacks = recording->stack_count;

	/* The last one is of calls without a stack. */
	*asked = (struct vmsi_asked_list){
		.list = calloc(stacks + 1, sizeof(*asked->list)),
	};
	if (!asked->list)
		return -ENOMEM;
	for (size_t i = 0; i < recording->event_count; i++) {
		const struct vmsi_recorded_event *event = &recording->events[i];
		const size_t at = event->stack == VMSI_NOBODY ? stacks : event->stack;

		if (event->kind != VMSI_RECORDED_CALL || event->error ||
		    event->time < view->from || event->time > view->to)
			continue;
		asked->list[at].stack = event->stack;
		add(&asked->list[at], event);
		add(&asked->all, event);
	}
	asked->count = close_ranks(asked->list, stacks + 1);
	qsort(asked->list, asked->count, sizeof(*asked->list), compare);
	return 0;
}

void vmsi_asked_free(struct vmsi_asked_list *asked)
{
	free(asked->list);
}
