/* SPDX-License-Identifier: MIT */
#ifndef VMSI_HOST_PIPE_H
#define VMSI_HOST_PIPE_H

#include <stddef.h>
#include <sys/uio.h>

/* The entries of vmsi_host for pipes that memory is put into. */
long vmsi_host_pipe(int ends[2]);
long vmsi_host_size_pipe(int fd, size_t bytes);
long vmsi_host_splice_memory(int fd, const struct iovec *parts, int count);
long vmsi_host_thread_faults(void);

#endif
