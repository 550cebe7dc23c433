/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "base/reclaim.h"
#include "host/host.h"
#include "space/inside.h"
#include "space/refusal.h"
#include "space/space.h"

/* What a call answers, and why it was refused, which each thread remembers. */

/*
 * Thread-local storage of the general model can call malloc at its first use,
 * and malloc may be built on this library. This model calls nothing.
 */
static _Thread_local struct {
	enum vms_refusal current; /* of the call that is running */
	enum vms_refusal last;    /* of the latest that failed with ENOMEM */
	unsigned since;           /* vmsi_reclaim_moment when it began */
} refusal __attribute__((tls_model("initial-exec")));

void vmsi_refusal_begin(void)
{
	refusal.current = VMS_REFUSAL_NONE;
	refusal.since = vmsi_reclaim_moment();
}

unsigned vmsi_refusal_since(void)
{
	return refusal.since;
}

static void fail(int error)
{
	if (error == -ENOMEM)
		refusal.last = refusal.current == VMS_REFUSAL_NONE ?
			VMS_REFUSAL_HOST : refusal.current;
	errno = -error;
}

int vmsi_status(int error)
{
	if (error == 0)
		return 0;
	fail(error);
	return -1;
}

void *vmsi_address_or_failed(long result)
{
	if (result >= 0 || result < -4095)
		return (void *)result;
	fail((int)result);
	return MAP_FAILED;
}

int vmsi_refuse(enum vms_refusal reason)
{
	refusal.current = reason;
	return -ENOMEM;
}

int vmsi_refuse_charge(int error)
{
	return vmsi_refuse(error == -EDQUOT ? VMS_REFUSAL_BUDGET :
					      VMS_REFUSAL_COMMIT);
}

enum vms_refusal vmsi_reason(void)
{
	return refusal.current;
}

int vmsi_refused_by_host(struct vms_space *space, long error)
{
	if (error == -ENOMEM && refusal.current == VMS_REFUSAL_NONE)
		return vmsi_refuse(vmsi_host_at_map_limit(space->limit_probe) ?
					   VMS_REFUSAL_MAP_COUNT :
					   VMS_REFUSAL_HOST);
	return (int)error;
}

int vmsi_refuse_records(struct vms_space *space)
{
	return vmsi_refuse(vmsi_host_at_map_limit(space->limit_probe) ?
				   VMS_REFUSAL_MAP_COUNT : VMS_REFUSAL_RECORDS);
}

enum vms_refusal vms_last_refusal(void)
{
	return refusal.last;
}

const char *vms_refusal_text(enum vms_refusal reason)
{
	switch (reason) {
	case VMS_REFUSAL_NONE:
		return "nothing was refused";
	case VMS_REFUSAL_HOST:
		return "the host refused (its overcommit policy or a resource limit)";
	case VMS_REFUSAL_COMMIT:
		return "the commit limit of the space would be passed";
	case VMS_REFUSAL_ADDRESSES:
		return "no such range of addresses is free in the space";
	case VMS_REFUSAL_MAP_COUNT:
		return "the process has as many mappings as vm.max_map_count allows (a hole between two mappings of a space counts as one)";
	case VMS_REFUSAL_RECORDS:
		return "no memory for the space's own records";
	case VMS_REFUSAL_UNMAPPED:
		return "part of the range is not mapped, or is blocked";
	case VMS_REFUSAL_BUDGET:
		return "the limit of the space's budget would be passed";
	case VMS_REFUSAL_OPEN:
		return "the process has no range of addresses of that size left for a new space, or may not have it (RLIMIT_AS)";
	}
	return "unknown";
}
