/* SPDX-License-Identifier: MIT */
#include "death.h"

/* The program sets a buffer's size itself; only debug builds notice. */
int main(void)
{
	struct vms_buffer_options options = {
		.struct_size = sizeof(options),
		.space = open_space(),
	};
	vms_buffer buffer;

	must(vms_buffer_init(&buffer, page_size(), &options),
	     "vms_buffer_init");
	must(vms_buffer_append(&buffer, "abc", 3), "vms_buffer_append");
	buffer.size = 2 * page_size();
	misuse();
	return vms_buffer_free(&buffer);
}
