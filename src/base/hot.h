/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_HOT_H
#define VMSI_BASE_HOT_H

/*
 * A function that is on a path which is to take less than a system call does. The linker
 * puts all of these side by side. Where a system call empties the processor's table of
 * addresses, as it does in virtual machines whose page tables the host's software keeps,
 * each page of code that is run afterwards is looked up anew, and those of this path would
 * be one a file.
 */
#define VMSI_HOT __attribute__((hot))

#endif
