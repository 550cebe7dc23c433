/* SPDX-License-Identifier: MIT */
#include "heap/request.h"

#include <errno.h>

#include "base/reclaim.h"
#include "heap/heap.h"
#include "space/inside.h"

/*
 * The request of this thread. A refusal is noted where it happens: later calls on
 * the space, which put a slot back, would hide it from the public call. For the
 * thread-local model see src/base/lock.c.
 */
static _Thread_local struct {
	struct vmsi_budget_refusal budget; /* the refusal, if a budget refused */
	enum vms_refusal reason;  /* of the refusal; NONE: no slot was free */
	unsigned since;           /* vmsi_reclaim_moment before this attempt */
	struct vmsi_attempts attempts;
} request __attribute__((tls_model("initial-exec")));

static void forget_refusal(void)
{
	request.budget.budget = NULL;
	request.reason = VMS_REFUSAL_NONE;
}

static void begin_attempt(void)
{
	forget_refusal();
	request.since = vmsi_reclaim_moment();
}

void vmsi_request_begin(void)
{
	request.attempts = (struct vmsi_attempts){ 0 };
	begin_attempt();
}

void vmsi_request_note(int error)
{
	forget_refusal();
	if (error != -ENOMEM)
		return;
	request.reason = vmsi_reason();
	request.budget = vmsi_budget_latest();
}

/* Keeps the request aside, since a callback may make others in this thread. */
static bool ask_budget(vms_heap *heap)
{
	__typeof__(request) kept = request;
	bool again;

	vmsi_budget_recall(&kept.budget);
	again = vmsi_ask_to_give_back(heap->space, &kept.attempts);
	request = kept;
	return again;
}

static bool ask_heaps(void)
{
	if (request.attempts.all_heaps)
		return false;
	request.attempts.all_heaps = true;
	return vmsi_reclaim(NULL, request.since);
}

/* Set what vms_last_refusal tells, which calls since the refusal have changed. */
static void tell_reason(void)
{
	if (request.reason == VMS_REFUSAL_NONE)
		return;
	(void)vmsi_refuse(request.reason);
	(void)vmsi_status(-ENOMEM);
}

bool vmsi_request_again(vms_heap *heap, size_t bytes)
{
	if (!vmsi_layout_has_slots(&heap->layout, bytes))
		return false;
	if (request.budget.budget ? ask_budget(heap) : ask_heaps()) {
		begin_attempt();
		return true;
	}
	tell_reason();
	return false;
}
