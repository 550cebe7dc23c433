/* SPDX-License-Identifier: MIT */
#ifndef VMSI_PAGER_ACCESS_H
#define VMSI_PAGER_ACCESS_H

#include <stdbool.h>

#include "pager/pager.h"

/* What an access was that has faulted, by what the processor has told the handler. */
enum vmsi_access vmsi_access_of(const void *context);

/* Whether it was to fetch an instruction: no pager has any. */
bool vmsi_access_is_fetch(const void *context);

#endif
