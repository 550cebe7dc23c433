/* SPDX-License-Identifier: MIT */
#ifndef VMSI_IO_WAIT_H
#define VMSI_IO_WAIT_H

#include "io/state.h"

/* Wait until a request has ended; NULL: until nothing is in flight. */
void vmsi_io_wait_until_over(struct vmsi_io *io, const struct vmsi_io_request *request);

#endif
