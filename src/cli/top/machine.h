/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_TOP_MACHINE_H
#define VMSI_CLI_TOP_MACHINE_H

#include "cli/top/sample.h"
#include "cli/top/walks.h"

/*
 * Reads all processes again and again. The files of each stay open from one time to
 * the next, as far as the limit of descriptors lets, so that a process costs two
 * reads; with swap in use three. They also tell a process from another one that has
 * got its number.
 */
struct vmsi_top_reader;

/*
 * walks: who is walked over for its commit. Raises the soft limit of descriptors to the
 * hard one. Returns NULL without memory.
 */
struct vmsi_top_reader *vmsi_top_reader_open(enum vmsi_top_walks walks);

/*
 * Replace the list and the machine of a sample, and its time. Processes that end
 * meanwhile are left out, and so are those without memory. Returns 0, -ENOMEM, or
 * -errno of listing /proc; -ENOENT where it is no procfs.
 */
int vmsi_top_reader_read(struct vmsi_top_reader *reader,
			 struct vmsi_top_sample *sample);

/*
 * Add the commit of the processes that are left in the sample, as far as it is known.
 * Returns 0 or -ENOMEM.
 */
int vmsi_top_reader_walk(struct vmsi_top_reader *reader, struct vmsi_top_sample *sample);

/*
 * Add the command lines of those that are shown. Returns 0 or -ENOMEM.
 */
int vmsi_top_reader_commands(struct vmsi_top_reader *reader,
			     struct vmsi_top_sample *sample);

void vmsi_top_reader_close(struct vmsi_top_reader *reader);

/* The memory of the machine, by itself. */
void vmsi_top_machine_read(struct vmsi_top_machine *machine);

/* Place for one more entry, which is empty; NULL without memory. */
struct vmsi_top_entry *vmsi_top_sample_add(struct vmsi_top_sample *sample);

#endif
