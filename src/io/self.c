/* SPDX-License-Identifier: MIT */
#include "io/self.h"

/* The initial-exec model never calls malloc. */
static _Thread_local char self __attribute__((tls_model("initial-exec")));

uintptr_t vmsi_io_self(void)
{
	return (uintptr_t)&self;
}
