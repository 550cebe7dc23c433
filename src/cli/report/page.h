/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PAGE_H
#define VMSI_CLI_PAGE_H

#include <stdio.h>

#include "cli/recording/recording.h"

/*
 * Write a recording as one page of HTML, which needs nothing besides: a timeline, the
 * address space at each moment, what grew, and all of it as tables. Returns 0, -ENOMEM,
 * or what writing failed with.
 */
int vmsi_page_write(FILE *stream, const struct vmsi_recording *recording);

#endif
