/* SPDX-License-Identifier: MIT */
#include "rehome.h"

#include <errno.h>
#include <sys/mman.h>

#include <vmspace/list.h>
#include <vmspace/mapping.h>

#include "border.h"
#include "guard.h"
#include "host/host.h"

/* Calls put to the space, with signals held off and errno kept. */

static void *pointer(uintptr_t address)
{
	return (void *)address;
}

bool vmsi_rehome_inside_is_full(void)
{
	return vms_last_refusal() == VMS_REFUSAL_ADDRESSES;
}

/*
 * Places that the space cannot give: it is full, or the file's driver insists
 * on choosing the address itself and refuses one that is given to it (the
 * rings of io_uring). The kernel then has the last word.
 */
static bool place_is_the_trouble(long answer, int flags)
{
	if (answer == -ENOMEM)
		return vmsi_rehome_inside_is_full();
	return answer == -EINVAL && !(flags & MAP_ANONYMOUS);
}

long vmsi_rehome_inside_mmap(uintptr_t address, size_t length, int prot,
			     int flags, int fd, uint64_t offset)
{
	struct vmsi_rehome_guard guard = vmsi_rehome_enter();
	void *memory = vms_mmap(vmsi_rehome_space(), pointer(address), length,
				prot, flags, fd, (off_t)offset);
	long answer = vmsi_rehome_leave(&guard, (long)(uintptr_t)memory);

	if (!(flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) &&
	    vmsi_rehome_failed(answer) && place_is_the_trouble(answer, flags)) {
		vmsi_rehome_count(VMSI_REHOME_PASSED);
		return vmsi_rehome_kernel_mmap(address, length, prot, flags,
					       fd, offset);
	}
	vmsi_rehome_count(VMSI_REHOME_SERVED);
	return answer;
}

long vmsi_rehome_inside_mremap(uintptr_t old_address, size_t old_length,
			       size_t new_length, int flags,
			       uintptr_t new_address)
{
	struct vmsi_rehome_guard guard = vmsi_rehome_enter();
	void *memory = vms_mremap(vmsi_rehome_space(), pointer(old_address),
				  old_length, new_length, flags,
				  pointer(new_address));

	return vmsi_rehome_leave(&guard, (long)(uintptr_t)memory);
}

long vmsi_rehome_inside_move_out(uintptr_t old_address, size_t old_length,
				 size_t new_length, int flags,
				 uintptr_t new_address)
{
	struct vmsi_rehome_guard guard = vmsi_rehome_enter();
	long answer = vmsi_border_move_out(vmsi_rehome_space(), old_address,
					  old_length, new_length, flags,
					  new_address);

	vmsi_rehome_leave(&guard, 0);
	return answer;
}

long vmsi_rehome_inside_move_in(uintptr_t old_address, size_t old_length,
				size_t new_length, int flags,
				uintptr_t new_address)
{
	struct vmsi_rehome_guard guard = vmsi_rehome_enter();
	long answer = vmsi_border_move_in(vmsi_rehome_space(), old_address,
					 old_length, new_length, flags,
					 new_address);

	vmsi_rehome_leave(&guard, 0);
	return answer;
}

/*
 * The space has no keys. It is told the protection, which also finds the holes
 * that the host's reservation would hide; the host then adds the key. Whether
 * the key is good is asked first, about a page that is never mapped, since a
 * bad key must change nothing.
 */
static int protect_with_key(const struct vmsi_rehome_call *call)
{
	struct vmsi_rehome_call trial = *call;

	if (call->key != -1 && call->length != 0) {
		trial.length = vmsi_page_size();
		trial.address = vmsi_address_limit() - trial.length;
		errno = -(int)vmsi_rehome_kernel_range(&trial);
		if (errno != ENOMEM)
			return -1;
	}
	if (vms_mprotect(vmsi_rehome_space(), pointer(call->address),
			 call->length,
			 vmsi_rehome_narrow(call->argument,
					    VMSI_REHOME_UNKNOWN_BIT)))
		return -1;
	if (call->key == -1)
		return 0;
	errno = -(int)vmsi_rehome_kernel_range(call);
	return errno ? -1 : 0;
}

static int put(struct vms_space *space, const struct vmsi_rehome_call *call)
{
	void *address = pointer(call->address);
	size_t length = call->length;
	/* mprotect takes 64 bits; madvise, msync and mlock2 an int. */
	int argument = (int)call->argument;
	int prot = vmsi_rehome_narrow(call->argument, VMSI_REHOME_UNKNOWN_BIT);

	switch (call->number) {
	case SYS_munmap:
		return vms_munmap(space, address, length);
	case SYS_mprotect:
		return vms_mprotect(space, address, length, prot);
	case SYS_pkey_mprotect:
		return protect_with_key(call);
	case SYS_madvise:
		return vms_madvise(space, address, length, argument);
	case SYS_msync:
		return vms_msync(space, address, length, argument);
	case SYS_mlock:
		return vms_mlock(space, address, length);
	case SYS_mlock2:
		return vms_mlock2(space, address, length, (unsigned)argument);
	case SYS_munlock:
		return vms_munlock(space, address, length);
	case SYS_mincore:
		return vms_mincore(space, address, length,
				   pointer((uintptr_t)call->argument));
	case SYS_mseal:
		return vms_mseal(space, address, length,
				 (unsigned long)call->argument);
	default:
		errno = ENOSYS;
		return -1;
	}
}

long vmsi_rehome_inside_range(const struct vmsi_rehome_call *call)
{
	struct vmsi_rehome_guard guard = vmsi_rehome_enter();

	return vmsi_rehome_leave(&guard, put(vmsi_rehome_space(), call));
}

long vmsi_rehome_inside_claim(struct vmsi_range range)
{
	return vmsi_rehome_inside_mmap(range.start, vmsi_range_length(range),
				       PROT_NONE,
				       MAP_PRIVATE | MAP_ANONYMOUS |
					       MAP_NORESERVE |
					       MAP_FIXED_NOREPLACE, -1, 0);
}

void vmsi_rehome_inside_release(struct vmsi_range range)
{
	struct vmsi_rehome_guard guard = vmsi_rehome_enter();

	(void)vms_munmap(vmsi_rehome_space(), pointer(range.start),
			 vmsi_range_length(range));
	vmsi_rehome_leave(&guard, 0);
}

bool vmsi_rehome_inside_is_sealed(struct vmsi_range range)
{
	struct vmsi_rehome_guard guard = vmsi_rehome_enter();
	bool sealed = vmsi_border_is_sealed(vmsi_rehome_space(), range);

	vmsi_rehome_leave(&guard, 0);
	return sealed;
}
