/* SPDX-License-Identifier: MIT */
#include "group/serve/seen.h"

#include <stddef.h>

/* Without libdw no stack is unwound, so none is named. */

char *vmsi_names_of(const struct vmsi_frames *frames)
{
	(void)frames;
	return NULL;
}

void vmsi_names_close(void)
{
}
