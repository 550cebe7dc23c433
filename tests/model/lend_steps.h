/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_LEND_STEPS_H
#define VMSI_TESTS_LEND_STEPS_H

#include "pool_steps.h"

/* What is compiled with this calls this of word.c by way of a fault that must be found. */
#define vmsi_word_drop faulty_drop

#endif
