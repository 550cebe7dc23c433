/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BENCH_SCRATCH_H
#define VMSI_BENCH_SCRATCH_H

/*
 * Make a directory for the files of this run, below $VMS_BENCH_DIRECTORY or the working
 * directory. Another process removes it, with its files and the memory control groups of
 * this run (group.h), when this process and all that it has forked have ended, however
 * they end; it is no child of a session that a terminal ends. exit(3) waits until all is
 * removed.
 *
 * undo   called by that process before it removes the files: for what else is to be
 *        undone, such as a swap file of the directory that is in use. NULL: nothing.
 *
 * Returns the path, which is good until this process ends. A program that cannot have one
 * ends, with a message and status 1. Once a process, before threads are started.
 */
const char *scratch_make(void (*undo)(const char *directory));

/* End this process, which was forked for a round of its own, with the one that forked. */
void scratch_end_with_parent(int parent);

#endif
