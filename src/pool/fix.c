/* SPDX-License-Identifier: MIT */
#include "base/hot.h"
#include "pool/miss.h"
#include "pool/plain/shield.h"
#include "pool/pool.h"
#include "space/inside.h"

/* vms_pool_fix and its kin: calls on a page by a thread that holds it, or wants to. */

static void *refuse(int error)
{
	errno = -error;
	return NULL;
}

/* Why a fix cannot be; 0: it can. */
static int check_fix(const struct vms_pool *pool, uint64_t page, enum vms_pool_mode mode)
{
	const int error = vmsi_pool_enter_page(pool, page);

	if (error)
		return error;
	if (mode != VMS_POOL_READ && mode != VMS_POOL_WRITE)
		return -EINVAL;
	return mode == VMS_POOL_WRITE && vmsi_pool_has(pool, VMS_POOL_READ_ONLY) ?
		-EACCES : 0;
}

static inline enum vmsi_page_hold hold_of(enum vms_pool_mode mode)
{
	return mode == VMS_POOL_READ ? VMSI_READ : VMSI_WRITE;
}

/* Apart, since a shield is large, and other pools have none. */
__attribute__((noinline))
static int hold_shielded(struct vms_pool *pool, uint64_t page, enum vmsi_page_hold hold,
			 uint64_t *word)
{
	struct vmsi_shield shield;
	int error;

	vmsi_shield_raise(pool, &shield);
	error = vmsi_hold_page(pool, page, hold, word);
	vmsi_shield_lower(&shield);
	return error;
}

static inline int hold_page(struct vms_pool *pool, uint64_t page, enum vmsi_page_hold hold,
			    uint64_t *word)
{
	if (vmsi_pool_has(pool, VMS_POOL_TRANSPARENT))
		return hold_shielded(pool, page, hold, word);
	return vmsi_hold_page(pool, page, hold, word);
}

/* Out of the way of the calls that have nothing to wait for. */
VMSI_HOT
__attribute__((noinline))
static void *fix_slowly(struct vms_pool *pool, uint64_t page, enum vms_pool_mode mode)
{
	int *const place = vmsi_pool_errno_place();
	const int earlier = *place;
	uint64_t word = 0;
	int error = check_fix(pool, page, mode);

	if (!error)
		error = hold_page(pool, page, hold_of(mode), &word);
	if (error)
		return refuse(error);
	*place = earlier;
	return vmsi_pool_at_word(pool, page, word);
}

VMSI_HOT
void *vms_pool_fix(vms_pool *pool, uint64_t page, enum vms_pool_mode mode)
{
	uint64_t word = 0;

	/* The first call of a thread is a slow one, so that this one calls nothing. */
	if (page < vmsi_pool_count(pool) && vmsi_pool_has_place()) {
		if (mode == VMS_POOL_READ)
			word = vmsi_word_read_at_once(vmsi_pool_word(pool, page));
		else if (mode == VMS_POOL_WRITE &&
			 !vmsi_pool_has(pool, VMS_POOL_READ_ONLY | VMS_POOL_TRANSPARENT))
			word = vmsi_word_write_at_once(vmsi_pool_word(pool, page));
	}
	if (!word)
		return fix_slowly(pool, page, mode);
	vmsi_pool_tally(&vmsi_pool_own_stripe(pool)->hits, 1);
	return vmsi_pool_at_word(pool, page, word);
}

static int open_held(struct vms_pool *pool, uint64_t page, enum vmsi_page_hold hold,
		     uint64_t word)
{
	struct vmsi_shield shield;
	int error;

	vmsi_shield_raise(pool, &shield);
	error = vmsi_hold_opened(pool, page, hold, word);
	vmsi_shield_lower(&shield);
	return error;
}

void *vms_pool_try_fix(vms_pool *pool, uint64_t page, enum vms_pool_mode mode)
{
	int error = check_fix(pool, page, mode);
	enum vmsi_word_answer answer;
	uint64_t word;

	if (error)
		return refuse(error);
	while ((answer = vmsi_word_try(vmsi_pool_word(pool, page), hold_of(mode),
				       &word)) == VMSI_WORD_HELD && !vmsi_word_lock(word)) {
		error = vmsi_miss_keep(pool, page, VMSI_KEEP_AT_ONCE);
		if (error != -EAGAIN)
			return refuse(error);
	}
	if (answer != VMSI_WORD_GOT)
		return refuse(-EAGAIN);
	error = open_held(pool, page, hold_of(mode), word);
	if (error)
		return refuse(error);
	vmsi_pool_tally(&vmsi_pool_stripe(pool)->hits, 1);
	return vmsi_pool_at_word(pool, page, word);
}

void *vms_pool_upgrade(vms_pool *pool, uint64_t page, uint64_t ticket)
{
	int error = check_fix(pool, page, VMS_POOL_WRITE);

	if (error)
		return refuse(error);
	while (!vmsi_word_upgrade(vmsi_pool_word(pool, page), ticket)) {
		if (!vmsi_word_is_lent(vmsi_word_load(vmsi_pool_word(pool, page))))
			return refuse(-EAGAIN);
		/* It is there, so that who begins again would find it so for ever. */
		error = vmsi_miss_keep(pool, page, VMSI_KEEP_AT_ONCE);
		if (error != -EAGAIN)
			return refuse(error);
	}
	/* The ticket may be older than what the page is now. */
	error = open_held(pool, page, VMSI_WRITE, 0);
	if (error)
		return refuse(error);
	return vmsi_pool_at_word(pool, page, ticket);
}

__attribute__((noinline))
static int unfix_slowly(struct vms_pool *pool, uint64_t page)
{
	int error = vmsi_pool_enter_page(pool, page);

	if (!error && !vmsi_word_unlock(vmsi_pool_word(pool, page),
					pool->view.version_shift))
		error = -EINVAL;
	if (error == -ERANGE)
		error = -EINVAL;
	return error ? vmsi_status(error) : 0;
}

VMSI_HOT
int vms_pool_unfix(vms_pool *pool, uint64_t page)
{
	if (page < vmsi_pool_count(pool) &&
	    vmsi_word_unlock_at_once(vmsi_pool_word(pool, page),
				     pool->view.version_shift))
		return 0;
	return unfix_slowly(pool, page);
}

int vms_pool_downgrade(vms_pool *pool, uint64_t page)
{
	int error = vmsi_pool_enter_page(pool, page);

	if (!error && !vmsi_word_lower(vmsi_pool_word(pool, page),
				       pool->view.version_shift))
		error = -EINVAL;
	if (error == -ERANGE)
		error = -EINVAL;
	return error ? vmsi_status(error) : 0;
}

/* --- reads without a fix ------------------------------------------------------------------------ */

VMSI_HOT
const void *vms_pool_begin_slowly(vms_pool *pool, uint64_t page, uint64_t *ticket)
{
	int *const place = vmsi_pool_errno_place();
	const int earlier = *place;
	int error = vmsi_pool_enter_page(pool, page);

	if (!error)
		error = hold_page(pool, page, VMSI_LOOK, ticket);
	if (error)
		return refuse(error);
	*place = earlier;
	return vmsi_pool_at_word(pool, page, *ticket);
}
