// SPDX-License-Identifier: MIT
// The same from C++: the headers compile, and their names link as C names.
#include <cstdio>

#include <vmspace.h>

int main()
{
	vms_handle none = VMS_HANDLE_NONE;
	vms_space *space = vms_space_open(1 << 20, nullptr);

	if (!space || vms_handle_address(space, none))
		return 1;
	std::puts(vms_version());
	return vms_space_close(space) ? 1 : 0;
}
