/* SPDX-License-Identifier: MIT */
#include "death.h"

/* Touch the page behind a buffer's maximum. */
int main(void)
{
	vms_space *space = open_space();
	struct vms_buffer_options options = {
		.struct_size = sizeof(options),
		.space = space,
	};
	size_t maximum = (size_t)4 << 20;
	vms_buffer buffer, behind;
	volatile char *bytes;

	must(vms_buffer_init(&buffer, maximum, &options), "vms_buffer_init");
	must(vms_buffer_init(&behind, maximum, &options), "vms_buffer_init");
	must(vms_buffer_resize(&buffer, maximum), "vms_buffer_resize");
	must(vms_buffer_resize(&behind, maximum), "vms_buffer_resize");
	bytes = buffer.data;
	bytes[maximum - 1] = 1;
	misuse();
	bytes[maximum] = 1;
	return 0;
}
