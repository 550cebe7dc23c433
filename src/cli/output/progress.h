/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_PROGRESS_H
#define VMSI_CLI_PROGRESS_H

#include <stddef.h>

/*
 * How far long work is: one line of standard error, where that is a terminal that can
 * remove it again. Elsewhere nothing is written. Work of one thread is shown at a time.
 */

/*
 * Work of so many units begins. Of fewer than least nothing is shown: that is over before
 * anybody reads. unit has the plural of what they are called, and stays the caller's.
 */
void vmsi_progress_begin(const char *unit, size_t count, size_t least);

/* Of so many processes it takes long to read them. */
#define VMSI_PROCESSES_SHOWN 64

/* So many are done. A message that is written meanwhile covers the line. */
void vmsi_progress_show(size_t done);

/* Remove the line. */
void vmsi_progress_end(void);

#endif
