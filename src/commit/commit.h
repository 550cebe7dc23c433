/* SPDX-License-Identifier: MIT */
#ifndef VMSI_COMMIT_COMMIT_H
#define VMSI_COMMIT_COMMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/space.h>

/* Whether a policy lets bytes more be charged where so many are. */
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
 * What tells a shared object from every other: device and inode of a file, or
 * two numbers of another kind that its maker sees to.
 */
struct vmsi_object_id {
	uint64_t device;
	uint64_t inode;
};

/*
 * A shared object is one piece of memory, whoever maps it: it is charged once
 * for all that hold it, and its charge comes back with the last of them.
 */
struct vmsi_hold {
	struct vmsi_object_id id;
	size_t bytes;   /* that the object has */
	size_t before;  /* bytes of it that this holder holds; 0: it is new */
};

/*
 * What is above a ledger, and is charged what it charges. Called under the lock
 * of the ledger's owner.
 */
struct vmsi_ledger_upper {
	/* Returns 0 or -errno, and then nothing is charged. */
	int (*charge)(void *context, size_t bytes);
	void (*charge_forced)(void *context, size_t bytes);
	void (*uncharge)(void *context, size_t bytes);
	/* As vmsi_ledger_take_back. */
	void (*take_back)(void *context, size_t bytes);
	/*
	 * Hold an object, and give refund bytes back that were charged, in one
	 * step. Returns 0 or -errno, and then nothing is held or given back.
	 */
	int (*hold)(void *context, const struct vmsi_hold *hold, size_t refund);
	/* Likewise, but only for want of memory to note it. */
	int (*hold_forced)(void *context, const struct vmsi_hold *hold,
			   size_t refund);
	void (*release)(void *context, struct vmsi_object_id id);
	/*
	 * Undo hold: the refund is charged again, and a new holder lets go. The
	 * peak is as by take_back.
	 */
	void (*take_back_hold)(void *context, const struct vmsi_hold *hold,
			       size_t refund);
	bool (*honours_noreserve)(void *context);
};

/*
 * The ledger: what has been promised, and whether more may be. Pure: limits
 * come in as data, the owner's lock guards it.
 */
struct vmsi_ledger {
	size_t limit;                  /* bytes */
	enum vms_commit_policy policy;
	size_t charged;                /* bytes */
	size_t peak;                   /* the most that was ever charged */
	size_t peak_kept;              /* peak when bytes last came back */
	uint64_t refusals;
	const struct vmsi_ledger_upper *upper; /* NULL: nothing is above */
	void *upper_context;
	/*
	 * Refunds to come: so much of charged is not charged above, where a
	 * mapping that replaces another is only ever charged the net.
	 */
	size_t ahead;
};

void vmsi_ledger_init(struct vmsi_ledger *ledger, size_t limit,
		      enum vms_commit_policy policy);

/* Charge what the ledger charges to upper, too. Nothing is charged yet. */
void vmsi_ledger_put_under(struct vmsi_ledger *ledger,
			   const struct vmsi_ledger_upper *upper,
			   void *context);

/* Whether so many bytes more fit. What is above is not asked. */
bool vmsi_ledger_fits(const struct vmsi_ledger *ledger, size_t bytes);

/*
 * Charge bytes, of which refund are about to come back by
 * vmsi_ledger_uncharge, before another charge is made (a mapping that replaces
 * another is charged the net). Nothing is charged for a refusal. Returns 0;
 * -ENOMEM: the ledger refuses; -EDQUOT: what is above does.
 */
int vmsi_ledger_charge(struct vmsi_ledger *ledger, size_t bytes, size_t refund);

/*
 * Charge what nobody could refuse: a stack that has grown by being touched.
 * refund: as above.
 */
void vmsi_ledger_charge_forced(struct vmsi_ledger *ledger, size_t bytes,
			       size_t refund);

void vmsi_ledger_uncharge(struct vmsi_ledger *ledger, size_t bytes);

/*
 * Uncharge what was charged for a request that the host has refused: the peak is
 * as if it had not been charged, where nothing else came back since.
 */
void vmsi_ledger_take_back(struct vmsi_ledger *ledger, size_t bytes);

/*
 * Whether an object that is held is charged in this ledger too, or only above,
 * where those meet that hold the same.
 */
enum vmsi_hold_level { VMSI_HOLD_HERE, VMSI_HOLD_ABOVE };

/*
 * Hold an object, or more of it. refund: as vmsi_ledger_charge. Returns what
 * vmsi_ledger_charge returns, or -EAGAIN: what is above has no memory to note
 * it.
 */
int vmsi_ledger_hold(struct vmsi_ledger *ledger, const struct vmsi_hold *hold,
		     enum vmsi_hold_level level, size_t refund);

/* The same where no limit could refuse it. Returns 0 or -EAGAIN. */
int vmsi_ledger_hold_forced(struct vmsi_ledger *ledger,
			    const struct vmsi_hold *hold,
			    enum vmsi_hold_level level, size_t refund);

/* Let an object go, of which so many bytes are charged in this ledger. */
void vmsi_ledger_release(struct vmsi_ledger *ledger, struct vmsi_object_id id,
			 size_t bytes_here);

/*
 * Undo vmsi_ledger_hold for a request that the host has refused; what is left
 * of its refund is charged again. An object that was held before stays held as
 * large as it was found to be.
 */
void vmsi_ledger_take_back_hold(struct vmsi_ledger *ledger,
				const struct vmsi_hold *hold,
				enum vmsi_hold_level level);

/*
 * Uncharge all, and charge nothing above any more. No object is held.
 */
void vmsi_ledger_end(struct vmsi_ledger *ledger);

/* Whether MAP_NORESERVE is honoured, by the policy and by what is above. */
bool vmsi_ledger_honours_noreserve(const struct vmsi_ledger *ledger);

/*
 * Whether a private mapping is charged when it is made, or becomes so, with
 * this protection: private, writable, and none of the kinds that Linux leaves
 * out. mapping_flags are those of src/vma/vma.h, as data: this room knows
 * only the bits that it is given in exempt.
 */
bool vmsi_commit_counts(int prot, uint32_t mapping_flags, uint32_t exempt);

#endif
