/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_SIGNS_H
#define VMSI_SPACE_SIGNS_H

#include <stdbool.h>

#include "space/sign_table.h"

struct vms_space;

/*
 * Tells others what the spaces of this process are called (sign_table.h). Nothing
 * that fails here fails a call: the space has no name for others then.
 */

/* Of a space; the registry's lock guards it. */
struct vmsi_space_sign {
	enum vmsi_sign_kind kind;
	unsigned number;                   /* in the table, from 1 on; 0: in none */
	char name[VMSI_SIGN_NAME_MAX + 1];
};

/*
 * After a space was put into the registry or has another name, and after it was taken
 * out. first is the first one in the registry now: a new table has all. The caller holds
 * the registry's lock, here and below.
 */
void vmsi_signs_put(struct vms_space *space, struct vms_space *first);
void vmsi_signs_take(struct vms_space *space, struct vms_space *first);

/* Set what a sign says; a longer name loses its beginning. NULL: none. */
void vmsi_signs_name(struct vmsi_space_sign *sign, enum vmsi_sign_kind kind,
		     const char *name);

/* In the child of a fork: try again what failed. */
void vmsi_signs_forked(void);

/* Whether a table that is not made yet waits for VMSPACE_NAMES=on to ask for it. */
void vmsi_signs_set_wish(bool waits_for_wish);

#endif
