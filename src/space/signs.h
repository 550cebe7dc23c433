/* SPDX-License-Identifier: MIT */
#ifndef VMSI_SPACE_SIGNS_H
#define VMSI_SPACE_SIGNS_H

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
 * out. The caller holds the registry's lock.
 */
void vmsi_signs_put(struct vms_space *space);
void vmsi_signs_take(struct vms_space *space);

/* In the child of a fork, where the registry's lock is held: try again what failed. */
void vmsi_signs_forked(void);

/*
 * From now on there is a table only where VMSPACE_NAMES=on asks for it. For libraries
 * that are loaded into programs that know nothing of them.
 */
void vmsi_signs_wait_for_wish(void);

#endif
