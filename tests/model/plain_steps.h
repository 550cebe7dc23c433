/* SPDX-License-Identifier: MIT */
#ifndef VMSI_TESTS_PLAIN_STEPS_H
#define VMSI_TESTS_PLAIN_STEPS_H

#include <string.h>

#include "pool_steps.h"

/* The bytes of a page are copied by parts, with other threads in between. */
void explorer_copy(void *to, const void *from, size_t size);

#define memcpy(to, from, size) explorer_copy(to, from, size)

/*
 * What is compiled with this calls these of word.c by way of what forgets how it came there,
 * or of faults that must be found.
 */
#define vmsi_word_wait explored_wait
#define vmsi_word_wait_for_turn explored_wait_for_turn
#define vmsi_word_begin_opening faulty_begin_opening
#define vmsi_word_begin_writing_stored faulty_begin_writing_stored
#define vmsi_word_end_turn faulty_end_turn
#define vmsi_word_make_dirty faulty_make_dirty
#define vmsi_word_abort_writing_stored faulty_abort_writing_stored

#endif
