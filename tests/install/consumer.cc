// SPDX-License-Identifier: MIT
// The same from C++: the headers compile, and their names link as C names.
#include <cstdio>

#include <sys/mman.h>
#include <vmspace.h>

int main()
{
	vms_handle handle = VMS_HANDLE_NONE;
	vms_space *space = vms_space_open(1 << 20, nullptr);
	void *memory;

	if (!space)
		return 1;
	memory = vms_mmap(space, nullptr, 1, PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vms_handle_open(space, memory, 1, &handle) ||
	    vms_handle_address(space, handle) != memory ||
	    vms_handle_close(space, handle))
		return 1;
	std::puts(vms_version());
	return vms_space_close(space) ? 1 : 0;
}
