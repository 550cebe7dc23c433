/* SPDX-License-Identifier: MIT */
#ifndef VMSI_COMMIT_COMMIT_H
#define VMSI_COMMIT_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

/* Whether a policy allows to charge bytes more on top of what is charged. */
static inline bool
vmsi_commit_fits(enum vms_commit_policy policy, size_t limit, size_t charged,
		 size_t bytes)
{
	switch (policy) {
	case VMS_COMMIT_ALWAYS:
		return bytes <= SIZE_MAX - charged;
	case VMS_COMMIT_HEURISTIC:
		return bytes <= limit && bytes <= SIZE_MAX - charged;
	case VMS_COMMIT_STRICT:
		break;
	}
	return charged <= limit && bytes <= limit - charged;
}

/*
 * Identifies a shared object: device and inode of a file, or two numbers that
 * whoever made the object chose to be unique.
 */
struct vmsi_object_id {
	uint64_t device;
	uint64_t inode;
};

/*
 * A request of a holder, a space or process that maps a shared object, to hold it.
 * The object is charged once for all its holders, until the last lets it go.
 */
struct vmsi_hold {
	struct vmsi_object_id id;
	size_t bytes;   /* size of the object */
	size_t before;  /* bytes that this holder holds already; 0: a new holder */
};

/*
 * The functions of the budget above a ledger, which is charged what the ledger is
 * charged. Called under the lock of the ledger's owner.
 */
struct vmsi_ledger_upper {
	/* Returns 0; -errno: nothing was charged. */
	int (*charge)(void *context, size_t bytes);
	void (*charge_forced)(void *context, size_t bytes);
	void (*uncharge)(void *context, size_t bytes);
	/* As vmsi_ledger_take_back. */
	void (*take_back)(void *context, size_t bytes);
	/*
	 * Hold an object and uncharge refund bytes, in one step. Returns 0;
	 * -errno: nothing was held or uncharged.
	 */
	int (*hold)(void *context, const struct vmsi_hold *hold, size_t refund);
	/* Likewise, but fails only where there is no memory for a record. */
	int (*hold_forced)(void *context, const struct vmsi_hold *hold,
			   size_t refund);
	void (*release)(void *context, struct vmsi_object_id id);
	/*
	 * Undo hold: charge the refund again, and let the object go if before was
	 * 0. The peak becomes what it would be without the hold.
	 */
	void (*take_back_hold)(void *context, const struct vmsi_hold *hold,
			       size_t refund);
	bool (*honours_noreserve)(void *context);
};

/*
 * What a space, or a budget, has been charged, and what it may be. It makes no
 * system calls; its owner's lock guards it.
 */
struct vmsi_ledger {
	size_t limit;                  /* bytes */
	enum vms_commit_policy policy;
	size_t charged;                /* bytes */
	size_t peak;                   /* the most that was ever charged */
	size_t peak_kept;              /* peak when bytes were last uncharged */
	uint64_t refusals;
	const struct vmsi_ledger_upper *upper; /* NULL: no budget is above */
	void *upper_context;
	/*
	 * The part of charged that is not charged above, because it is about to
	 * be refunded: a mapping that replaces another is charged here before the
	 * other's charge comes back, but above only for the difference.
	 */
	size_t ahead;
};

void vmsi_ledger_init(struct vmsi_ledger *ledger, size_t limit,
		      enum vms_commit_policy policy);

/* Put a ledger, which has no charge yet, under upper. */
void vmsi_ledger_put_under(struct vmsi_ledger *ledger,
			   const struct vmsi_ledger_upper *upper,
			   void *context);

/* Whether the ledger, not asking what is above, lets bytes more be charged. */
bool vmsi_ledger_fits(const struct vmsi_ledger *ledger, size_t bytes);

/*
 * Charge bytes. The caller uncharges refund of them right afterwards, so limits
 * and peak are compared with the net. Returns 0, or nothing is charged: -ENOMEM:
 * the ledger refuses; -EDQUOT: a budget above does.
 */
int vmsi_ledger_charge(struct vmsi_ledger *ledger, size_t bytes, size_t refund);

/* Likewise whatever the limits are: a stack that was touched has grown. */
void vmsi_ledger_charge_forced(struct vmsi_ledger *ledger, size_t bytes,
			       size_t refund);

void vmsi_ledger_uncharge(struct vmsi_ledger *ledger, size_t bytes);

/*
 * Uncharge what was charged for a request that the host then refused. The peak
 * becomes what it would be without the charge, if nothing was uncharged since.
 */
void vmsi_ledger_take_back(struct vmsi_ledger *ledger, size_t bytes);

/*
 * Where a shared object is charged: in this ledger and above, or only above, in
 * the budget that all its holders are under.
 */
enum vmsi_hold_level { VMSI_HOLD_HERE, VMSI_HOLD_ABOVE };

/*
 * Hold an object, or more of it. refund and the answers are those of
 * vmsi_ledger_charge; -EAGAIN: a budget above has no memory for a record.
 */
int vmsi_ledger_hold(struct vmsi_ledger *ledger, const struct vmsi_hold *hold,
		     enum vmsi_hold_level level, size_t refund);

/* The same whatever the limits are. Returns 0 or -EAGAIN. */
int vmsi_ledger_hold_forced(struct vmsi_ledger *ledger,
			    const struct vmsi_hold *hold,
			    enum vmsi_hold_level level, size_t refund);

/* Let an object go, and uncharge what this ledger was charged for it. */
void vmsi_ledger_release(struct vmsi_ledger *ledger, struct vmsi_object_id id,
			 size_t bytes_here);

/*
 * Undo vmsi_ledger_hold for a request that the host then refused; what is left
 * of its refund is charged again above. An object that was held before stays
 * held with hold->bytes, its real size.
 */
void vmsi_ledger_take_back_hold(struct vmsi_ledger *ledger,
				const struct vmsi_hold *hold,
				enum vmsi_hold_level level);

/* Uncharge all and leave upper. The ledger must hold no object. */
void vmsi_ledger_end(struct vmsi_ledger *ledger);

/* Whether the policy here and those above honour MAP_NORESERVE. */
bool vmsi_ledger_honours_noreserve(const struct vmsi_ledger *ledger);

/*
 * Whether a mapping with this protection is charged: writable, and with none of
 * the flags (VMSI_*, src/vma/vma.h) in exempt, of the kinds that Linux leaves out.
 */
bool vmsi_commit_counts(int prot, uint32_t mapping_flags, uint32_t exempt);

#endif
