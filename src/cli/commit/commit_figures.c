/* SPDX-License-Identifier: MIT */
#include "cli/commit/commit_figures.h"

#include <errno.h>

/* Of the memory that a process has mapped, 1/32 counts as reserve of the user. */
#define USER_RESERVE_PART 32

static struct vmsi_reading known(uint64_t value)
{
	return (struct vmsi_reading){ .value = value };
}

static struct vmsi_reading unknown(int error)
{
	return (struct vmsi_reading){ .error = error };
}

/*
 * A number of /proc/meminfo, or why it is not known: the file could not be read,
 * or this kernel does not have the number.
 */
static struct vmsi_reading told(const struct vmsi_commit_sources *sources,
				bool is_there, uint64_t value)
{
	if (sources->meminfo_error)
		return unknown(sources->meminfo_error);
	return is_there ? known(value) : unknown(-ENODATA);
}

static struct vmsi_reading plus(struct vmsi_reading a, struct vmsi_reading b)
{
	uint64_t sum;

	if (a.error || b.error)
		return unknown(a.error ? a.error : b.error);
	if (__builtin_add_overflow(a.value, b.value, &sum))
		return unknown(-EOVERFLOW);
	return known(sum);
}

static struct vmsi_reading minus(struct vmsi_reading a, struct vmsi_reading b)
{
	if (a.error || b.error)
		return unknown(a.error ? a.error : b.error);
	if (a.value < b.value)
		return unknown(-ERANGE);
	return known(a.value - b.value);
}

static struct vmsi_reading times(struct vmsi_reading a, uint64_t factor)
{
	uint64_t product;

	if (a.error)
		return a;
	if (__builtin_mul_overflow(a.value, factor, &product))
		return unknown(-EOVERFLOW);
	return known(product);
}

/* The kernel counts in whole pages and rounds down. */
static struct vmsi_reading whole_pages(struct vmsi_reading bytes,
				       uint64_t page_size)
{
	bytes.value -= bytes.value % page_size;
	return bytes;
}

/* A setting in KiB as bytes of whole pages, which the kernel uses. */
static struct vmsi_reading in_pages(struct vmsi_reading kib, uint64_t page_size)
{
	return whole_pages(times(kib, 1024), page_size);
}

static struct vmsi_reading percent(struct vmsi_reading bytes,
				   struct vmsi_reading ratio,
				   uint64_t page_size)
{
	struct vmsi_reading pages = bytes;

	if (ratio.error)
		return ratio;
	pages.value /= page_size;
	pages = times(pages, ratio.value);
	pages.value /= 100;
	return times(pages, page_size);
}

static struct vmsi_reading
huge_pages(const struct vmsi_commit_sources *sources)
{
	const struct vmsi_meminfo *meminfo = &sources->meminfo;

	/* Before Linux 4.16 meminfo has huge pages of the default size only. */
	if (!sources->meminfo_error && !meminfo->tells_hugetlb)
		return times(known(meminfo->huge_pages),
			     meminfo->huge_page_size);
	return told(sources, true, meminfo->hugetlb);
}

static enum vmsi_commit_basis basis(struct vmsi_reading kbytes)
{
	if (kbytes.error)
		return VMSI_BASIS_UNKNOWN;
	return kbytes.value == 0 ? VMSI_BASIS_RATIO : VMSI_BASIS_KBYTES;
}

static struct vmsi_commit_limit
limit_of(const struct vmsi_commit_sources *sources)
{
	const struct vmsi_meminfo *meminfo = &sources->meminfo;
	const uint64_t page_size = sources->page_size;
	const struct vmsi_reading kbytes =
		sources->settings[VMSI_OVERCOMMIT_KBYTES];
	struct vmsi_commit_limit limit = {
		.basis = basis(kbytes),
		.ram = told(sources, true, meminfo->ram),
		.huge_pages = huge_pages(sources),
		.ratio = sources->settings[VMSI_OVERCOMMIT_RATIO],
		.swap = told(sources, true, meminfo->swap),
		.kernel = sources->is_supposed ? unknown(-ENODATA) :
			told(sources, meminfo->tells_commit,
			     meminfo->commit_limit),
	};

	limit.usable = minus(limit.ram, limit.huge_pages);
	if (limit.basis == VMSI_BASIS_RATIO)
		limit.share = percent(limit.usable, limit.ratio, page_size);
	else
		limit.share = in_pages(kbytes, page_size);
	limit.sum = plus(limit.share, limit.swap);
	return limit;
}

static struct vmsi_balance balance(struct vmsi_reading limit,
				   struct vmsi_reading taken)
{
	struct vmsi_balance rest = {
		.error = limit.error ? limit.error : taken.error,
	};

	if (rest.error)
		return rest;
	rest.passed = taken.value > limit.value;
	rest.bytes = rest.passed ? taken.value - limit.value :
				   limit.value - taken.value;
	return rest;
}

/* Where the capability is not known, the smaller amount is shown. */
static struct vmsi_reading admin_taken(const struct vmsi_commit_left *left,
				       enum vmsi_exemption exemption)
{
	return exemption == VMSI_EXEMPT_YES ? known(0) : left->admin_reserve;
}

/* What a process that has mapped nothing finds taken from the limit. */
static struct vmsi_reading taken_from(const struct vmsi_commit_left *left,
				      enum vmsi_exemption exemption)
{
	return plus(plus(admin_taken(left, exemption), left->committed),
		    known(left->page));
}

struct vmsi_balance vmsi_commit_left_for(const struct vmsi_commit_left *left,
					 enum vmsi_exemption exemption,
					 uint64_t mapped)
{
	struct vmsi_reading reserve = left->user_reserve;
	const uint64_t part = mapped / USER_RESERVE_PART;

	if (!reserve.error && part < reserve.value)
		reserve = whole_pages(known(part), left->page);
	return balance(left->limit, plus(taken_from(left, exemption), reserve));
}

static struct vmsi_commit_left
left_of(const struct vmsi_commit_sources *sources,
	const struct vmsi_commit_limit *limit)
{
	const struct vmsi_reading *settings = sources->settings;
	const struct vmsi_meminfo *meminfo = &sources->meminfo;
	const uint64_t page_size = sources->page_size;
	struct vmsi_commit_left left = {
		.limit = limit->kernel.error ? limit->sum : limit->kernel,
		.admin_reserve = in_pages(settings[VMSI_ADMIN_RESERVE],
					  page_size),
		.exemption = sources->exemption,
		.committed = told(sources, meminfo->tells_commit,
				  meminfo->committed),
		.page = page_size,
		.user_reserve = in_pages(settings[VMSI_USER_RESERVE],
					 page_size),
	};
	struct vmsi_reading taken;

	left.admin_taken = admin_taken(&left, left.exemption);
	taken = taken_from(&left, left.exemption);
	left.small = balance(left.limit, taken);
	left.large_size = times(left.user_reserve, USER_RESERVE_PART);
	left.large = balance(left.limit, plus(taken, left.user_reserve));
	return left;
}

static enum vmsi_commit_mode mode_of(struct vmsi_reading mode)
{
	if (mode.error || mode.value >= VMSI_MODE_UNKNOWN)
		return VMSI_MODE_UNKNOWN;
	return (enum vmsi_commit_mode)mode.value;
}

struct vmsi_commit_figures
vmsi_commit_work_out(const struct vmsi_commit_sources *sources)
{
	struct vmsi_commit_figures figures = {
		.mode = mode_of(sources->settings[VMSI_OVERCOMMIT_MEMORY]),
		.limit = limit_of(sources),
	};

	figures.largest_request = plus(figures.limit.ram, figures.limit.swap);
	figures.left = left_of(sources, &figures.limit);
	return figures;
}

bool vmsi_commit_limits_differ(const struct vmsi_commit_limit *limit)
{
	return !limit->sum.error && !limit->kernel.error &&
		limit->sum.value != limit->kernel.value;
}
