/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_KEEPER_KERNEL_H
#define VMSI_TESTS_KEEPER_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "keeper/keeper.h"

/*
 * A kernel that is made up, below the table of calls of the keeper: pins are files of a
 * directory of the test's, and maps are arrays.
 */

enum { GROUPS = 2, COMMITTED_PAGES = 7 };

enum kernel_mode { KERNEL_ONCE, KERNEL_FROM_THEN_ON };

void kernel_begin(void);
void kernel_end(void);

/* A descriptor of a control group's directory. */
int kernel_group(int which);

/* Fail the nth call, from 1 on; 0: none. Returns whether that of before was reached. */
bool kernel_plan(unsigned n, enum kernel_mode mode);

/* The name of the call that was failed last. */
const char *kernel_failed(void);

/* In bytes; 0: it has none. */
uint64_t kernel_limit(int group);

/* As rmdir of a control group does. */
void kernel_end_group(int group);

/* All slots but those in use are in use. */
void kernel_fill_slots(void);
void kernel_forget_group(int group);

/* A directory where the pins should be, with nothing in it. */
void kernel_make_pins(mode_t mode);

size_t kernel_pins(void);
size_t kernel_programs(void);
size_t kernel_descriptors(void);

#endif
