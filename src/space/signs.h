/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_SIGNS_H
#define VMSI_SPACE_SIGNS_H

#include <stdbool.h>

#include "space/sign_table.h"

/*
 * Tells others what the spaces of this process are called (sign_table.h), and what lies
 * in them that is something else, as stacks do in a space of the program's. Nothing that
 * fails here fails a call: the space has no name for others then.
 */

/* Of a space, or of a part of one; the registry's lock guards it. */
struct vmsi_space_sign {
	enum vmsi_sign_kind kind;
	uint64_t start, end;
	char name[VMSI_SIGN_NAME_MAX + 1];
	unsigned number;                   /* in the table, from 1 on; 0: in none */
	struct vmsi_space_sign *next;      /* of all that are told */
	struct vmsi_space_sign **link;     /* what points to it; NULL: it is not told */
};

/*
 * Tell of it, or that it has another name; and tell no more of it, or do nothing where
 * it was not told. A sign stays where it is meanwhile. The caller holds the registry's
 * lock, here and below.
 */
void vmsi_signs_put(struct vmsi_space_sign *sign);
void vmsi_signs_take(struct vmsi_space_sign *sign);

/* Set what a sign says; a longer name loses its beginning. NULL: none. */
void vmsi_signs_name(struct vmsi_space_sign *sign, enum vmsi_sign_kind kind,
		     const char *name);

/* In the child of a fork: try again what failed. */
void vmsi_signs_forked(void);

/* Whether a table that is not made yet waits for VMSPACE_NAMES=on to ask for it. */
void vmsi_signs_set_wish(bool waits_for_wish);

#endif
