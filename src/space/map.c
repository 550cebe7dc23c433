/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "base/mman.h"
#include "host/host.h"
#include "space/entry.h"
#include "space/hostview.h"
#include "space/inside.h"
#include "space/map_request.h"
#include "space/mend.h"
#include "space/records.h"
#include "space/refusal.h"
#include "space/space.h"
#include "space/walk.h"

/* vms_mmap: what a mapping is charged, and how it is made. */

/*
 * A warm hole is private anonymous PROT_NONE memory (warm.h), which one
 * mprotect makes what mmap would have made, at less cost. But the host locks
 * memory for MCL_FUTURE when it is mapped, and the hole may be older than the
 * mlockall.
 */
static bool may_use_warm_hole(const struct map_request *request)
{
	const int plain = MAP_PRIVATE | MAP_ANONYMOUS;

	return request->target_is_warm && request->flags == plain &&
		!(request->space->flags & VMS_SPACE_MCL_FUTURE);
}

/* --- charge ---------------------------------------------------------------------- */

static uint32_t attribute_flags(const struct map_request *request)
{
	static const struct {
		int host;
		uint32_t flag;
	} translations[] = {
		{ MAP_ANONYMOUS, VMSI_ANONYMOUS },
		{ MAP_GROWSDOWN, VMSI_GROWSDOWN },
		{ MAP_LOCKED, VMSI_LOCKED },
	};
	uint32_t flags = 0;

	for (size_t i = 0; i < sizeof(translations) / sizeof(*translations); i++)
		if (request->flags & translations[i].host)
			flags |= translations[i].flag;
	if (vmsi_map_request_is_shared(request))
		flags |= VMSI_SHARED;
	if ((request->flags & MAP_TYPE) == MAP_DROPPABLE)
		flags |= VMSI_DROPPABLE | VMSI_NORESERVE | VMSI_WIPEONFORK |
			VMSI_DONTDUMP;
	if ((request->flags & MAP_STACK) && vmsi_stack_means_small_pages())
		flags |= VMSI_NOHUGEPAGE;
	if (request->page_size > vmsi_page_size()) {
		flags |= VMSI_HUGETLB;
		flags &= ~VMSI_LOCKED;
	}
	if ((request->flags & MAP_NORESERVE) &&
	    vmsi_ledger_honours_noreserve(&request->space->ledger))
		flags |= VMSI_NORESERVE;
	return flags;
}

/* A shared mapping of a file that is open only for reading stays read-only. */
static void note_access(struct map_request *request)
{
	long flags;

	if ((request->flags & MAP_ANONYMOUS) || !vmsi_map_request_is_shared(request))
		return;
	flags = vmsi_host.file_flags(request->fd);
	if (flags >= 0 && (flags & O_ACCMODE) == O_RDONLY)
		request->attributes.flags |= VMSI_READ_ONLY;
}

static int describe(struct map_request *request)
{
	int error;

	request->attributes = (struct vmsi_attributes){
		.prot = (uint32_t)request->prot &
			(PROT_READ | PROT_WRITE | PROT_EXEC),
		.flags = attribute_flags(request),
		.page_shift = (uint32_t)__builtin_ctzl(request->page_size),
	};
	note_access(request);
	if (vmsi_commit_counts(request->prot, request->attributes.flags,
			       VMSI_COMMIT_EXEMPT)) {
		request->attributes.flags |= VMSI_ACCOUNTED;
		request->charge = request->length;
	}
	error = vmsi_map_request_get_object(request);
	if (error)
		return error;
	error = vmsi_map_request_find_hold(request);
	if (error)
		vmsi_map_request_drop_object(request);
	return error;
}

/* The offset of a request's last page, or the first one's if that overflows. */
static uint64_t last_offset(const struct map_request *request)
{
	uint64_t last;

	return __builtin_add_overflow(request->offset,
				      request->length - request->page_size,
				      &last) ? request->offset : last;
}

/*
 * Find out whether Linux would refuse the request for another reason before it
 * looks at limits of addresses and commit. The host is asked for one page
 * elsewhere (MAP_NORESERVE, so that it is not charged); then come
 * RLIMIT_MEMLOCK and seals. Returns 0 or the -errno.
 */
static int refused_before_limits(struct map_request *request)
{
	int flags = (request->flags | MAP_NORESERVE) &
		~(MAP_FIXED | MAP_FIXED_NOREPLACE | MAP_POPULATE);
	long result = vmsi_host.mmap(0, request->page_size, request->prot,
				     flags, request->fd, last_offset(request));

	if (result < 0 && result != -ENOMEM)
		return (int)result;
	if (result >= 0)
		vmsi_host.munmap((uintptr_t)result, request->page_size);
	if ((request->flags & MAP_LOCKED) &&
	    !vmsi_host_may_lock(request->length))
		return -EAGAIN;
	return vmsi_has_sealed(request->space, request->target) ? -EPERM : 0;
}

static int refuse_commit(struct map_request *request, int refusal)
{
	int error = refused_before_limits(request);

	if (error)
		return error;
	return refusal == -EAGAIN ? vmsi_refuse_records(request->space) :
				    vmsi_refuse_charge(refusal);
}

/* In a warm hole the host itself looks at RLIMIT_DATA, in its mprotect. */
static int check_limits(struct map_request *request)
{
	enum vmsi_counts counts = VMSI_COUNTS_AS_ADDRESSES;
	size_t more = request->length;
	int error;

	if (!request->target_is_free)
		more -= vmsi_mapped_bytes(request->space, request->target);
	if (!may_use_warm_hole(request) &&
	    vmsi_is_data(request->attributes.prot, request->attributes.flags))
		counts = VMSI_COUNTS_AS_DATA;
	if (!vmsi_check_limits(request->space, more, counts))
		return 0;
	error = refused_before_limits(request);
	return error ? error : vmsi_refuse(VMS_REFUSAL_HOST);
}

static int charge_request(struct map_request *request)
{
	struct vms_space *space = request->space;
	int error;

	if (!request->target_is_free)
		request->refund = vmsi_charged_in(space, request->target);
	if (request->charge)
		error = vmsi_ledger_charge(&space->ledger, request->charge,
					   request->refund);
	else if (request->hold.bytes)
		error = vmsi_ledger_hold(&space->ledger, &request->hold,
					 request->hold_level, request->refund);
	else
		return 0;
	if (error)
		return refuse_commit(request, error);
	request->charged = true;
	return 0;
}

static void uncharge_request(struct map_request *request)
{
	struct vmsi_ledger *ledger = &request->space->ledger;

	if (request->charged && request->charge)
		vmsi_ledger_take_back(ledger, request->charge);
	else if (request->charged)
		vmsi_ledger_take_back_hold(ledger, &request->hold,
					   request->hold_level);
}

/* --- act, publish ------------------------------------------------------------------ */

static long ask_host(const struct map_request *request, int flags)
{
	return vmsi_host.mmap(request->target.start,
			      vmsi_range_length(request->target), request->prot,
			      (flags & ~MAP_FIXED_NOREPLACE) | MAP_FIXED,
			      request->fd, request->offset);
}

/* The host has no huge pages left: charge and map ordinary ones there. */
static int fall_back(struct map_request *request)
{
	struct vms_space *space = request->space;
	struct vmsi_attributes *attributes = &request->attributes;
	int flags = request->flags &
		(int)~(MAP_HUGETLB | (unsigned)MAP_HUGE_MASK << MAP_HUGE_SHIFT);
	long result;
	int error = 0;

	attributes->flags &= ~VMSI_HUGETLB;
	attributes->flags |= VMSI_HUGE_FALLBACK;
	attributes->page_shift = (uint32_t)__builtin_ctzl(vmsi_page_size());
	if (vmsi_has(attributes, VMSI_SHARED)) {
		error = vmsi_map_request_find_hold(request);
	} else {
		vmsi_map_request_drop_object(request);
		attributes->object = NULL;
		if (vmsi_commit_counts(request->prot, attributes->flags,
				       VMSI_COMMIT_EXEMPT)) {
			attributes->flags |= VMSI_ACCOUNTED;
			request->charge = request->length;
		}
	}
	if (!error)
		error = charge_request(request);
	if (error)
		return error;
	result = ask_host(request, flags);
	if (result < 0)
		return (int)result;
	if (vmsi_host.madvise(request->target.start, request->length,
			      MADV_HUGEPAGE) == 0)
		attributes->flags |= VMSI_HUGEPAGE;
	space->huge_fallbacks++;
	return 0;
}

/*
 * The host refuses huge pages only after it has unmapped the target, which any
 * thread could take then. So they are mapped elsewhere and moved to the target.
 */
static long ask_for_huge_pages(const struct map_request *request, int flags)
{
	size_t length = vmsi_range_length(request->target);
	long elsewhere, result;

	elsewhere = vmsi_host.mmap(0, length, request->prot,
				   flags & ~(MAP_FIXED | MAP_FIXED_NOREPLACE),
				   request->fd, request->offset);
	if (elsewhere < 0)
		return elsewhere;
	result = vmsi_host.mremap((uintptr_t)elsewhere, length, length,
				  MREMAP_MAYMOVE | MREMAP_FIXED,
				  request->target.start);
	if (result < 0)
		vmsi_host.munmap((uintptr_t)elsewhere, length);
	return result;
}

static int act(struct map_request *request)
{
	bool may_fall_back = (request->flags & MAP_ANONYMOUS) &&
		(request->flags & MAP_HUGETLB) &&
		!(request->space->flags & VMS_SPACE_HUGETLB_EXACT);
	long result;

	if (may_use_warm_hole(request)) {
		if (vmsi_host.mprotect(request->target.start, request->length,
				       request->prot) >= 0)
			return 0;
		/*
		 * The host refused, perhaps for RLIMIT_DATA. It would not look
		 * at that limit in the mmap below, so check_limits must.
		 */
		request->target_is_warm = false;
		result = check_limits(request);
		if (result)
			return (int)result;
	}
	if (!may_fall_back) {
		/* As on Linux, a failure unmaps what was at the target. */
		bool direct = request->page_size == vmsi_page_size() ||
			vmsi_first(request->space, request->target);

		result = direct ? ask_host(request, request->flags) :
				  ask_for_huge_pages(request, request->flags);
		return result < 0 ? (int)result : 0;
	}
	/* With MAP_NORESERVE a touch could find the pool empty: SIGBUS. */
	result = ask_for_huge_pages(request, request->flags & ~MAP_NORESERVE);
	if (result == -ENOMEM)
		return fall_back(request);
	request->attributes.flags &= ~VMSI_NORESERVE;
	return result < 0 ? (int)result : 0;
}

static void publish_request(struct map_request *request)
{
	struct vms_space *space = request->space;

	if (request->hold.bytes)
		vmsi_object_note_hold(request->attributes.object,
				      &request->hold, request->hold_level);
	if (request->target_is_free)
		vmsi_publish_free(space, request->target,
				  request->object_offset, &request->attributes);
	else
		vmsi_publish(space, request->target, request->object_offset,
			     &request->attributes);
	if (vmsi_has(&request->attributes, VMSI_LOCKED))
		space->has_locked = true;
}

static int map(struct map_request *request)
{
	struct vms_space *space = request->space;
	int error = vmsi_map_request_check(request);

	if (!error)
		error = vmsi_reserve_records(space);
	if (!error)
		error = vmsi_map_request_place(request);
	if (!error)
		error = describe(request);
	if (error)
		return error;
	if (request->flags & MAP_GROWSDOWN)
		error = vmsi_stacks_begin(space);
	if (!error)
		error = check_limits(request);
	if (!error)
		error = charge_request(request);
	if (error)
		goto drop;
	if (!request->target_is_free)
		vmsi_learn_touched(space, request->target, VMSI_LEARN_SPLIT);
	error = act(request);
	if (error)
		goto uncharge;
	publish_request(request);
	return 0;

uncharge:
	vmsi_mend(space, request->target);
	uncharge_request(request);
drop:
	vmsi_map_request_drop_object(request);
	return vmsi_refused_by_host(space, error);
}

long vmsi_mmap(struct vms_space *space, uintptr_t address, size_t length, int prot,
	      int flags, int fd, uint64_t offset)
{
	struct map_request request = {
		.space = space,
		.address = address,
		.length = length,
		.prot = prot,
		.flags = flags,
		.fd = fd,
		.offset = offset,
	};
	int error = vmsi_enter(space);

	if (error)
		return error;
	error = map(&request);
	vmsi_leave(space);
	return error ? error : (long)request.target.start;
}

void *vms_mmap(vms_space *space, void *address, size_t length, int prot,
	       int flags, int fd, off_t offset)
{
	struct vmsi_attempts attempts = { 0 };
	long result;

	do
		result = vmsi_mmap(space, (uintptr_t)address, length, prot, flags,
				  fd, (uint64_t)offset);
	while (vmsi_try_again(space, (int)result, &attempts));
	return vmsi_address_or_failed(result);
}
