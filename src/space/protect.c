/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/entry.h"
#include "space/inside.h"
#include "space/records.h"
#include "space/refusal.h"
#include "space/space.h"
#include "space/walk.h"

/* vms_mprotect. */

#define BOTH_WAYS (PROT_GROWSDOWN | PROT_GROWSUP)
#define RIGHTS ((uint32_t)(PROT_READ | PROT_WRITE | PROT_EXEC))

struct protect_request {
	struct vms_space *space;
	struct vmsi_range range;
	int prot;               /* RIGHTS, and bits that the host knows */
	uintptr_t changeable;   /* the end of what may change */
	size_t charged;         /* bytes, for mappings in that */
	int error;              /* why the call stops at changeable */
};

static bool gains_charge(const struct vmsi_mapping *mapping, int prot)
{
	const struct vmsi_attributes *attributes = &mapping->attributes;

	return !vmsi_has(attributes, VMSI_ACCOUNTED) &&
		!(attributes->prot & PROT_WRITE) &&
		vmsi_commit_counts(prot, attributes->flags, VMSI_COMMIT_EXEMPT);
}

/* Whether a mapping loses its charge if it was never touched. */
static bool may_lose_charge(const struct vmsi_mapping *mapping, int prot)
{
	return vmsi_has(&mapping->attributes, VMSI_ACCOUNTED) &&
		!(prot & PROT_WRITE) &&
		vmsi_is_private_anonymous(&mapping->attributes);
}

/*
 * PROT_GROWSDOWN moves the range's start down to that of a MAP_GROWSDOWN
 * mapping. PROT_GROWSUP needs a kind of mapping that no supported machine has.
 */
static int find_start(struct protect_request *request)
{
	struct vmsi_range above = { request->range.start,
				    request->space->range.end };
	struct vmsi_mapping *mapping = vmsi_first(request->space, above);

	if (!mapping)
		return vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	if (!(request->prot & PROT_GROWSDOWN)) {
		if (mapping->start > request->range.start)
			return vmsi_refuse(VMS_REFUSAL_UNMAPPED);
		return request->prot & PROT_GROWSUP ? -EINVAL : 0;
	}
	if (mapping->start >= request->range.end)
		return vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	if (!vmsi_has(&mapping->attributes, VMSI_GROWSDOWN))
		return -EINVAL;
	request->range.start = mapping->start;
	request->prot &= ~PROT_GROWSDOWN;
	return 0;
}

/* Find out whether a piece may change, and charge it if it gains a charge. */
static int charge_piece(struct protect_request *request,
			const struct vmsi_mapping *mapping, size_t length)
{
	const uint32_t flags = mapping->attributes.flags;
	int error;

	if ((flags & VMSI_READ_ONLY) && (request->prot & PROT_WRITE))
		return -EACCES;
	if (flags & VMSI_SEALED)
		return -EPERM;
	if (!gains_charge(mapping, request->prot))
		return 0;
	error = vmsi_ledger_charge(&request->space->ledger, length, 0);
	if (error)
		return vmsi_refuse_charge(error);
	request->charged += length;
	return 0;
}

/* Set changeable and error, and charge what may change. */
static void check_and_charge(struct protect_request *request)
{
	struct vms_space *space = request->space;
	struct vmsi_range run = { request->range.start,
				  vmsi_run_end(space, request->range.start,
					       request->range.end) };

	request->changeable = run.end;
	vmsi_for_each(space, mapping, run) {
		struct vmsi_range piece = vmsi_piece(mapping, run);

		request->error = charge_piece(request, mapping,
					      vmsi_range_length(piece));
		if (request->error) {
			request->changeable = piece.start;
			return;
		}
	}
	if (run.end < request->range.end)
		request->error = vmsi_refuse(VMS_REFUSAL_UNMAPPED);
}

static long host_protect(struct vmsi_range range, void *context)
{
	const struct protect_request *request = context;

	return vmsi_host.mprotect(range.start, vmsi_range_length(range),
				  request->prot);
}

static void change_prot(struct vmsi_mapping *piece, void *context)
{
	struct protect_request *request = context;
	struct vmsi_attributes *attributes = &piece->attributes;
	size_t length = vmsi_range_length(vmsi_mapping_range(piece));

	if (attributes->prot == ((uint32_t)request->prot & RIGHTS))
		return;
	if (gains_charge(piece, request->prot)) {
		attributes->flags |= VMSI_ACCOUNTED;
		request->charged -= length;
	} else if (may_lose_charge(piece, request->prot) &&
		   !vmsi_has(attributes, VMSI_TOUCHED)) {
		attributes->flags &= ~VMSI_ACCOUNTED;
		vmsi_ledger_uncharge(&request->space->ledger, length);
	}
	attributes->prot = (uint32_t)request->prot & RIGHTS;
}

static int protect(struct protect_request *request)
{
	struct vms_space *space = request->space;
	struct vmsi_range done = { request->range.start, 0 };
	struct vmsi_range_call call = { host_protect, request };
	int error = vmsi_reserve_records(space);

	if (error)
		return error;
	check_and_charge(request);
	if (request->changeable == request->range.start)
		goto out;
	if (request->prot & PROT_WRITE)
		vmsi_learn_touched(space, request->range, VMSI_LEARN_SPLIT);
	error = vmsi_call_run(space,
			      (struct vmsi_range){ request->range.start,
						   request->changeable },
			      call, &done.end);
	if (error)
		request->error = vmsi_refused_by_host(space, error);
	if (done.end > done.start) {
		/*
		 * The host has taken the right to write, so no thread can touch
		 * memory after it was found untouched.
		 */
		if (!(request->prot & PROT_WRITE))
			vmsi_learn_touched(space, done, VMSI_LEARN_ALL);
		vmsi_change(space, done, change_prot, request);
	}
	/* Take back the charge for parts that did not change. */
	vmsi_ledger_take_back(&space->ledger, request->charged);
out:
	return request->error;
}

/* Refuse protection bits that the host does not know. */
static int check_bits(const struct protect_request *request)
{
	const int known = (int)RIGHTS | BOTH_WAYS;
	const int extra = request->prot & ~known;

	if (!extra)
		return 0;
	/* Some machines have more bits (PROT_BTI): ask the host, on a page. */
	if (vmsi_host.mprotect(request->space->limit_probe, vmsi_page_size(),
			       extra) == -EINVAL)
		return -EINVAL;
	vmsi_host.mprotect(request->space->limit_probe, vmsi_page_size(),
			   PROT_NONE);
	return 0;
}

int vmsi_protect(struct vms_space *space, uintptr_t start, size_t length,
		 int prot)
{
	struct protect_request request = { .space = space, .prot = prot };
	int error = vmsi_enter(space);

	if (error)
		return error;
	if (!vmsi_is_aligned(start, vmsi_page_size()) ||
	    (prot & BOTH_WAYS) == BOTH_WAYS)
		error = -EINVAL;
	else if (length == 0)
		error = 0;
	else if (!vmsi_page_range(start, length, &request.range))
		error = vmsi_refuse(VMS_REFUSAL_UNMAPPED);
	else
		error = check_bits(&request);
	if (!error && length)
		error = find_start(&request);
	if (!error && length)
		error = protect(&request);
	vmsi_leave(space);
	return error;
}

int vms_mprotect(vms_space *space, void *address, size_t length, int prot)
{
	struct vmsi_attempts attempts = { 0 };
	int error;

	do
		error = vmsi_protect(space, (uintptr_t)address, length, prot);
	while (vmsi_try_again(space, error, &attempts));
	return vmsi_status(error);
}
