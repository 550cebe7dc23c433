/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <string.h>

#include <vmspace/stat.h>

#include "base/versioned.h"
#include "space/inside.h"
#include "text/json.h"

/* Figures as JSON: a table for each struct, which has all its members in their order. */

/* --- words ---------------------------------------------------------------- */

static const char *const policies[] = {
	[VMS_COMMIT_HEURISTIC] = "heuristic",
	[VMS_COMMIT_ALWAYS] = "always",
	[VMS_COMMIT_STRICT] = "strict",
};

static const char *const ring_kinds[] = {
	[VMS_RING_SPSC] = "spsc",
	[VMS_RING_MPSC] = "mpsc",
	[VMS_RING_BROADCAST] = "broadcast",
};

static const char *const code_modes[] = {
	[VMS_CODE_ANY] = "any",
	[VMS_CODE_VIEWS] = "views",
	[VMS_CODE_COPIES] = "copies",
	[VMS_CODE_FLIPS] = "flips",
};

static const char *const shadow_stacks_words[] = {
	[VMS_SHADOW_STACKS_NONE] = "none",
	[VMS_SHADOW_STACKS_OFF] = "off",
	[VMS_SHADOW_STACKS_ON] = "on",
};

static const char *const engines[] = {
	[VMS_POOL_URING] = "uring",
	[VMS_POOL_THREADS] = "threads",
};

static const char *const fault_engines[] = {
	[VMS_POOL_FAULTS_NONE] = "none",
	[VMS_POOL_FAULTS_SIGNAL] = "signal",
	[VMS_POOL_FAULTS_SERVED] = "served",
	[VMS_POOL_FAULTS_PROTECT] = "protect",
};

static const char *const codecs[] = {
	"none",
	[VMS_POOL_LZ4] = "lz4",
	[VMS_POOL_ZSTD] = "zstd",
	[VMS_POOL_RAW] = "raw",
};

/* --- members -------------------------------------------------------------- */

/* Rows of the struct that OF names. */
#define NUMBER(member) VMSI_MEMBER(OF, member, VMSI_MEMBER_NUMBER)
#define INTEGER(member) VMSI_MEMBER(OF, member, VMSI_MEMBER_INTEGER)
#define TRUTH(member) VMSI_MEMBER(OF, member, VMSI_MEMBER_TRUTH)
#define WORD(member, words) VMSI_MEMBER_AS_WORD(OF, member, words)
#define LIST(member) VMSI_MEMBER_LIST(OF, member)
#define KNOWN(member, bit) VMSI_MEMBER_IF_KNOWN(OF, member, VMS_STAT_##bit)

#define OF struct vms_stat
static const struct vmsi_json_member stat_rows[] = {
	KNOWN(reserved, RESERVED),
	KNOWN(committed, COMMITTED),
	KNOWN(committed_peak, COMMITTED_PEAK),
	KNOWN(limit, LIMIT),
	KNOWN(mappings, MAPPINGS),
	KNOWN(refusals, REFUSALS),
	KNOWN(resident_anonymous, RESIDENT),
	KNOWN(resident_file, RESIDENT),
	KNOWN(swapped, RESIDENT),
};
#undef OF

#define OF struct vms_space_stats
static const struct vmsi_json_member space_rows[] = {
	NUMBER(reserved),
	NUMBER(mapped),
	NUMBER(mappings),
	NUMBER(committed),
	NUMBER(committed_peak),
	NUMBER(limit),
	WORD(policy, policies),
	NUMBER(refusals),
	NUMBER(huge_fallbacks),
	NUMBER(moves),
	NUMBER(grown_in_place),
	NUMBER(lost),
	NUMBER(metadata),
};
#undef OF

#define OF struct vms_buffer_stats
static const struct vmsi_json_member buffer_rows[] = {
	NUMBER(size),
	NUMBER(committed),
	NUMBER(reserved),
	NUMBER(maximum),
	NUMBER(moves),
};
#undef OF

#define OF struct vms_heap_stats
static const struct vmsi_json_member heap_rows[] = {
	NUMBER(reserved),
	NUMBER(live),
	NUMBER(blocks),
	NUMBER(committed),
	NUMBER(committed_peak),
	NUMBER(retained),
	NUMBER(resident),
	NUMBER(allocations),
	NUMBER(grown_in_place),
	NUMBER(moves),
	NUMBER(moved_bytes),
	NUMBER(given_back),
	NUMBER(refusals),
};
#undef OF

#define OF struct vms_file_stats
static const struct vmsi_json_member file_rows[] = {
	NUMBER(size),
	NUMBER(maximum),
	NUMBER(windows),
	NUMBER(losses),
	NUMBER(losses_outside),
	NUMBER(commits),
	NUMBER(syncs),
	NUMBER(journal_bytes),
	NUMBER(spilled_bytes),
};
#undef OF

#define OF struct vms_share_stats
static const struct vmsi_json_member share_rows[] = {
	NUMBER(size),
	NUMBER(maximum),
	NUMBER(used),
	NUMBER(allocated),
	NUMBER(flags),
	TRUTH(sealed),
};
#undef OF

#define OF struct vms_ring_stats
static const struct vmsi_json_member ring_rows[] = {
	NUMBER(capacity),
	WORD(kind, ring_kinds),
	NUMBER(alignment),
	NUMBER(record_most),
	NUMBER(used),
	NUMBER(records),
	NUMBER(bytes),
	NUMBER(refused),
	NUMBER(skipped),
	NUMBER(aborted),
	NUMBER(wakes),
	NUMBER(missed_records),
	NUMBER(missed_bytes),
	NUMBER(attached),
};
#undef OF

#define OF struct vms_stacks_stats
static const struct vmsi_json_member stacks_rows[] = {
	NUMBER(count),
	NUMBER(made),
	NUMBER(taken),
	NUMBER(stack_size),
	NUMBER(guard_size),
	NUMBER(pitch),
	NUMBER(reserved),
	NUMBER(committed),
	NUMBER(metadata),
	NUMBER(guard_mappings),
	NUMBER(collected),
	WORD(shadow_stacks, shadow_stacks_words),
};
#undef OF

#define OF struct vms_code_stats
static const struct vmsi_json_member code_rows[] = {
	NUMBER(reserved),
	NUMBER(mapped),
	NUMBER(memory),
	NUMBER(used),
	NUMBER(writable),
	NUMBER(blocks),
	NUMBER(unpublished),
	NUMBER(chunks),
	WORD(mode, code_modes),
	INTEGER(refused),
	TRUTH(sealed),
	TRUTH(core_sync),
	NUMBER(core_syncs),
	NUMBER(metadata),
};
#undef OF

#define OF struct vms_pool_stats
static const struct vmsi_json_member pool_rows[] = {
	NUMBER(page_size),
	NUMBER(pages),
	NUMBER(ram),
	NUMBER(used),
	NUMBER(slots),
	NUMBER(resident),
	NUMBER(dirty),
	NUMBER(free),
	NUMBER(hits),
	NUMBER(misses),
	NUMBER(reads),
	NUMBER(read_errors),
	NUMBER(writes),
	NUMBER(pages_written),
	NUMBER(write_errors),
	NUMBER(written_for_room),
	NUMBER(syncs),
	NUMBER(evictions),
	NUMBER(ghost_hits),
	NUMBER(waits),
	NUMBER(held_back),
	NUMBER(durable),
	WORD(engine, engines),
	INTEGER(engine_error),
	NUMBER(miss_nanoseconds),
	LIST(miss_times),
	NUMBER(faults),
	NUMBER(read_ahead),
	WORD(fault_engine, fault_engines),
	INTEGER(fault_engine_error),
	TRUTH(serves_system_calls),
	WORD(swap_codec, codecs),
	NUMBER(swap_ram),
	NUMBER(swap_used),
	NUMBER(swap_file),
	NUMBER(aside),
	NUMBER(aside_zero),
	NUMBER(aside_bytes),
	NUMBER(pages_aside),
	NUMBER(pages_aside_raw),
	NUMBER(snapshots),
	NUMBER(pages_saved),
	NUMBER(area_batches),
	NUMBER(area_mended),
};
#undef OF

#define OF struct vms_budget_stats
static const struct vmsi_json_member budget_rows[] = {
	NUMBER(limit),
	WORD(policy, policies),
	NUMBER(committed),
	NUMBER(committed_here),
	NUMBER(committed_peak),
	NUMBER(refusals),
	NUMBER(processes),
	NUMBER(soft_limit),
};
#undef OF

/* --- the calls ------------------------------------------------------------ */

struct kind {
	struct vmsi_json_members members;
	size_t first; /* the least struct_size */
};

#define KIND(rows, least) \
	&(const struct kind){ { rows, sizeof(rows) / sizeof((rows)[0]) }, least }

/* Each struct begins with its size. */
static int write_json(const struct kind *kind, const void *figures, unsigned known,
		      char *buffer, size_t size)
{
	size_t given;
	int error;

	if (!figures || (!buffer && size))
		return vmsi_status(-EINVAL);
	memcpy(&given, figures, sizeof(given));
	error = vmsi_check_struct_size(given, kind->first);
	if (error)
		return vmsi_status(error);
	return vmsi_write_members(&kind->members, figures, given, known, buffer, size);
}

int vms_stat_to_json(const struct vms_stat *stat, char *buffer, size_t size)
{
	return write_json(KIND(stat_rows, VMSI_FIRST_STAT), stat,
			  stat ? stat->known : 0, buffer, size);
}

int vms_space_stats_to_json(const struct vms_space_stats *stats, char *buffer,
			    size_t size)
{
	return write_json(KIND(space_rows, VMSI_FIRST_SPACE_STATS), stats, 0, buffer,
			  size);
}

int vms_buffer_stats_to_json(const struct vms_buffer_stats *stats, char *buffer,
			     size_t size)
{
	return write_json(KIND(buffer_rows, VMSI_FIRST_BUFFER_STATS), stats, 0, buffer,
			  size);
}

int vms_heap_stats_to_json(const struct vms_heap_stats *stats, char *buffer,
			   size_t size)
{
	return write_json(KIND(heap_rows, VMSI_FIRST_HEAP_STATS), stats, 0, buffer,
			  size);
}

int vms_file_stats_to_json(const struct vms_file_stats *stats, char *buffer,
			   size_t size)
{
	return write_json(KIND(file_rows, VMSI_FIRST_FILE_STATS), stats, 0, buffer,
			  size);
}

int vms_share_stats_to_json(const struct vms_share_stats *stats, char *buffer,
			    size_t size)
{
	return write_json(KIND(share_rows, VMSI_FIRST_SHARE_STATS), stats, 0, buffer,
			  size);
}

int vms_ring_stats_to_json(const struct vms_ring_stats *stats, char *buffer,
			   size_t size)
{
	return write_json(KIND(ring_rows, VMSI_FIRST_RING_STATS), stats, 0, buffer,
			  size);
}

int vms_stacks_stats_to_json(const struct vms_stacks_stats *stats, char *buffer,
			     size_t size)
{
	return write_json(KIND(stacks_rows, VMSI_FIRST_STACKS_STATS), stats, 0, buffer,
			  size);
}

int vms_code_stats_to_json(const struct vms_code_stats *stats, char *buffer,
			   size_t size)
{
	return write_json(KIND(code_rows, VMSI_FIRST_CODE_STATS), stats, 0, buffer,
			  size);
}

int vms_pool_stats_to_json(const struct vms_pool_stats *stats, char *buffer,
			   size_t size)
{
	return write_json(KIND(pool_rows, VMSI_FIRST_POOL_STATS), stats, 0, buffer,
			  size);
}

int vms_budget_stats_to_json(const struct vms_budget_stats *stats, char *buffer,
			     size_t size)
{
	return write_json(KIND(budget_rows, VMSI_FIRST_BUDGET_STATS), stats, 0, buffer,
			  size);
}
