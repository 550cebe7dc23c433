/* SPDX-License-Identifier: MIT */
#ifndef VMSI_IO_TRANSFER_H
#define VMSI_IO_TRANSFER_H

#include "host/uring.h"
#include "io/io.h"

/* How far a request has come. All of it is the thread's that carries it out. */

/* Make a request as new. */
void vmsi_transfer_begin(struct vmsi_io_request *request);

/* What is left of a request, as one operation. */
struct vmsi_uring_operation vmsi_transfer_rest(struct vmsi_io_request *request);

/*
 * Note what an operation has given. Returns whether the request has its result; if
 * not, there is a rest.
 */
bool vmsi_transfer_note(struct vmsi_io_request *request, long result);

/* Do what is left in the calling thread, until the request has its result. */
void vmsi_transfer_finish(struct vmsi_io_request *request);

#endif
