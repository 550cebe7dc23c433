/* SPDX-License-Identifier: MIT */
#ifndef VMSI_GROUP_SERVE_FILTER_H
#define VMSI_GROUP_SERVE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>

/*
 * Build the filter that has the kernel ask the supervisor about the calls that
 * may charge; noreserve: memory of MAP_NORESERVE is charged, too.
 * filter->filter is malloc's. Returns 0 or -errno.
 */
int vmsi_filter_build(bool noreserve, struct sock_fprog *filter);

/* Whether the filter asks the supervisor about calls of a number. */
bool vmsi_filter_notifies(long call);

#endif
