/* SPDX-License-Identifier: MIT */
#include "space/signs.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/align.h"
#include "space/sign_memory.h"

/*
 * Publishes spaces in the table of names. It is made when the first space is opened,
 * and made anew by a child at its first change, since fork does not pass it on:
 *
 *   UNTRIED --make--> OPEN          in a child: OPEN --> UNTRIED, GIVEN_UP --> UNTRIED
 *           --fails--> GIVEN_UP
 *           --VMSPACE_NAMES--> OFF
 *
 * What is written into the table is never read back: which signs are taken is known
 * from a map of bits.
 */

enum state { UNTRIED, OPEN, GIVEN_UP, OFF };

#define WORD_BITS 64u
#define WORDS ((VMSI_SIGNS + WORD_BITS - 1) / WORD_BITS)

/* The registry's lock guards all of it. */
static struct {
	enum state state;
	bool waits_for_wish;
	struct vmsi_space_sign *first; /* of those that are told, in the table or not */
	struct vmsi_sign_memory memory;
	uint64_t taken[WORDS];
	unsigned used;   /* signs from this number on were never used */
	unsigned lowest; /* none below this number is free */
} signs;

/* --- signs ---------------------------------------------------------------- */

static unsigned first_free(void)
{
	unsigned word = signs.lowest / WORD_BITS;

	while (word < WORDS && signs.taken[word] == UINT64_MAX)
		word++;
	return word == WORDS ? VMSI_SIGNS : word * WORD_BITS +
		(unsigned)__builtin_ctzll(~signs.taken[word]);
}

/* Returns whether there is one for the space. */
static bool take_number(struct vmsi_space_sign *sign)
{
	const unsigned number = first_free();

	signs.lowest = number;
	if (number >= VMSI_SIGNS ||
	    !vmsi_sign_memory_back(&signs.memory, number))
		return false;
	signs.taken[number / WORD_BITS] |= UINT64_C(1) << number % WORD_BITS;
	signs.lowest = number + 1;
	sign->number = number + 1;
	if (number >= signs.used) {
		signs.used = number + 1;
		atomic_store_explicit(&signs.memory.table->head.used, signs.used,
				      memory_order_release);
	}
	return true;
}

static void write_sign(unsigned number, const struct vmsi_space_sign *from)
{
	struct vmsi_sign *const sign = &signs.memory.table->signs[number];
	const uint32_t sequence = atomic_load_explicit(&sign->sequence,
						       memory_order_relaxed);

	/* Odd, whatever it is that was there. */
	atomic_store_explicit(&sign->sequence, sequence | 1,
			      memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	atomic_store_explicit(&sign->kind, from->kind, memory_order_relaxed);
	atomic_store_explicit(&sign->start, from->start, memory_order_relaxed);
	atomic_store_explicit(&sign->end, from->end, memory_order_relaxed);
	memcpy(sign->name, from->name, sizeof(sign->name));
	atomic_store_explicit(&sign->sequence, (sequence | 1) + 1,
			      memory_order_release);
}

static void publish(struct vmsi_space_sign *sign)
{
	if (sign->number || take_number(sign))
		write_sign(sign->number - 1, sign);
}

static void unpublish(struct vmsi_space_sign *sign)
{
	static const struct vmsi_space_sign nothing = { .kind = VMSI_SIGN_FREE };
	const unsigned number = sign->number - 1;

	write_sign(number, &nothing);
	signs.taken[number / WORD_BITS] &= ~(UINT64_C(1) << number % WORD_BITS);
	if (number < signs.lowest)
		signs.lowest = number;
}

/* --- the table ------------------------------------------------------------ */

static bool is_wanted(void)
{
	const char *wish = getenv("VMSPACE_NAMES");

	return signs.waits_for_wish ? wish && strcmp(wish, "on") == 0 :
				      !wish || strcmp(wish, "off") != 0;
}

static void publish_all(void)
{
	for (struct vmsi_space_sign *sign = signs.first; sign; sign = sign->next) {
		sign->number = 0;
		publish(sign);
	}
}

static void make(void)
{
	if (!signs.first)
		return;
	if (!is_wanted()) {
		signs.state = OFF;
		return;
	}
	memset(signs.taken, 0, sizeof(signs.taken));
	signs.used = signs.lowest = 0;
	signs.state = vmsi_sign_memory_make(&signs.memory) == 0 ? OPEN : GIVEN_UP;
	if (signs.state == OPEN)
		publish_all();
}

/* Returns whether the table was there before, and so has all that is told. */
static bool is_ready(void)
{
	if (signs.state == OPEN) {
		if (!vmsi_sign_memory_is_parents(&signs.memory))
			return true;
		vmsi_sign_memory_forget(&signs.memory);
		signs.state = UNTRIED;
	}
	if (signs.state == UNTRIED)
		make();
	return false;
}

/* --- what is told --------------------------------------------------------- */

static void add(struct vmsi_space_sign *sign)
{
	sign->next = signs.first;
	sign->link = &signs.first;
	if (sign->next)
		sign->next->link = &sign->next;
	signs.first = sign;
}

static void drop(struct vmsi_space_sign *sign)
{
	*sign->link = sign->next;
	if (sign->next)
		sign->next->link = sign->link;
	sign->link = NULL;
}

void vmsi_signs_put(struct vmsi_space_sign *sign)
{
	if (!sign->link)
		add(sign);
	if (is_ready())
		publish(sign);
}

void vmsi_signs_take(struct vmsi_space_sign *sign)
{
	if (!sign->link)
		return;
	drop(sign);
	if (is_ready() && sign->number)
		unpublish(sign);
	sign->number = 0;
}

void vmsi_signs_forked(void)
{
	if (signs.state == GIVEN_UP)
		signs.state = UNTRIED;
}

void vmsi_signs_set_wish(bool waits_for_wish)
{
	signs.waits_for_wish = waits_for_wish;
}

void vmsi_signs_name(struct vmsi_space_sign *sign, enum vmsi_sign_kind kind,
		     const char *name)
{
	const size_t length = name ? strlen(name) : 0;
	/* Of a path, the end tells more than the beginning. */
	const size_t kept = vmsi_min(length, VMSI_SIGN_NAME_MAX);

	sign->kind = kind;
	memset(sign->name, 0, sizeof(sign->name));
	if (name)
		memcpy(sign->name, name + length - kept, kept);
}
