/* SPDX-License-Identifier: MIT */
#include "file/losses.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/align.h"
#include "host/host.h"

#define WORD_PAGES 64u

/* Why the first page was lost, below its offset. */
enum { LOSS_PAST_END = 1, LOSS_UNREADABLE = 2, LOSS_WHY = 3 };

/* What a bit stands for, and pages as units and back: those that have one of them. */
#define ROUGH_UNITS ((uint64_t)64 << 20 << 3)

static unsigned shift_for(uint64_t pages, enum vmsi_losses_marks marks)
{
	unsigned shift = 0;

	while (marks == VMSI_LOSSES_ROUGHLY && pages >> shift > ROUGH_UNITS)
		shift++;
	return shift;
}

static struct vmsi_lost_run units_of(const struct vmsi_losses *losses,
				     struct vmsi_lost_run run)
{
	const uint64_t rest = ((uint64_t)1 << losses->shift) - 1;

	return (struct vmsi_lost_run){
		run.first >> losses->shift,
		(run.end >> losses->shift) + ((run.end & rest) != 0),
	};
}

static struct vmsi_lost_run pages_of(const struct vmsi_losses *losses,
				     struct vmsi_lost_run run)
{
	return (struct vmsi_lost_run){ run.first << losses->shift,
				       run.end << losses->shift };
}

int vmsi_losses_open(struct vmsi_losses *losses, uint64_t maximum,
		     enum vmsi_losses_marks marks)
{
	const uint64_t pages_most = maximum / vmsi_page_size();
	const unsigned shift = shift_for(pages_most, marks);
	const uint64_t words = (pages_most >> shift) / WORD_PAGES + 1;
	const size_t bytes = vmsi_align_up(words * sizeof(*losses->pages),
					   vmsi_page_size());
	long pages = vmsi_host.mmap(0, bytes, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
				    -1, 0);

	if (pages < 0)
		return -ENOMEM;
	atomic_init(&losses->count, 0);
	atomic_init(&losses->mended, 0);
	atomic_init(&losses->outside, 0);
	atomic_init(&losses->first, LOSS_UNREADABLE);
	atomic_init(&losses->low, UINT64_MAX);
	atomic_init(&losses->high, 0);
	losses->shift = shift;
	losses->pages = (_Atomic uint64_t *)pages;
	losses->pages_bytes = bytes;
	return 0;
}

void vmsi_losses_close(struct vmsi_losses *losses)
{
	vmsi_host.munmap((uintptr_t)losses->pages, losses->pages_bytes);
	losses->pages = NULL;
}

/* --- bits ------------------------------------------------------------------------ */

/* The bits that a run of units has in a word. */
static uint64_t word_bits(struct vmsi_lost_run run, uint64_t word)
{
	const uint64_t start = word * WORD_PAGES;
	uint64_t bits = ~(uint64_t)0;

	if (run.first > start)
		bits <<= run.first % WORD_PAGES;
	if (run.end < start + WORD_PAGES)
		bits &= ~(~(uint64_t)0 << run.end % WORD_PAGES);
	return bits;
}

void vmsi_losses_mark(struct vmsi_losses *losses, struct vmsi_lost_run pages,
		      enum vmsi_loss_mark mark)
{
	const struct vmsi_lost_run run = units_of(losses, pages);

	for (uint64_t word = run.first / WORD_PAGES;
	     word * WORD_PAGES < run.end; word++) {
		const uint64_t bits = word_bits(run, word);

		if (mark == VMSI_LOST)
			atomic_fetch_or(&losses->pages[word], bits);
		else
			atomic_fetch_and(&losses->pages[word], ~bits);
	}
}

/* The first unit from one on, and below end, that is lost, or that is not. */
static uint64_t find_unit(const struct vmsi_losses *losses,
			  struct vmsi_lost_run in, enum vmsi_loss_mark mark)
{
	for (uint64_t word = in.first / WORD_PAGES; word * WORD_PAGES < in.end;
	     word++) {
		uint64_t bits = atomic_load(&losses->pages[word]);

		if (mark == VMSI_WHOLE)
			bits = ~bits;
		bits &= word_bits(in, word);
		if (bits)
			return word * WORD_PAGES +
				(unsigned)__builtin_ctzll(bits);
	}
	return in.end;
}

/* --- noting -------------------------------------------------------------------- */

static void widen(struct vmsi_losses *losses, struct vmsi_lost_run pages)
{
	const struct vmsi_lost_run run = units_of(losses, pages);
	uint64_t low = atomic_load(&losses->low);
	uint64_t high = atomic_load(&losses->high);

	while (run.first < low &&
	       !atomic_compare_exchange_weak(&losses->low, &low, run.first))
		;
	while (run.end > high &&
	       !atomic_compare_exchange_weak(&losses->high, &high, run.end))
		;
}

bool vmsi_losses_note(struct vmsi_losses *losses, struct vmsi_lost_run run,
		      int error, bool outside)
{
	const unsigned why = error == ENXIO ? LOSS_PAST_END : LOSS_UNREADABLE;

	if (units_of(losses, run).end > losses->pages_bytes * 8)
		return false;
	vmsi_losses_mark(losses, run, VMSI_LOST);
	widen(losses, run);
	if (atomic_load(&losses->count) == atomic_load(&losses->mended))
		atomic_store(&losses->first, run.first * vmsi_page_size() | why);
	if (outside)
		atomic_fetch_add(&losses->outside, 1);
	atomic_fetch_add(&losses->count, 1);
	return true;
}

/* --- asking ---------------------------------------------------------------------- */

/* What of a run of units may have lost pages at all. */
static struct vmsi_lost_run within_hull(const struct vmsi_losses *losses,
					struct vmsi_lost_run run)
{
	const uint64_t low = atomic_load(&losses->low);
	const uint64_t high = atomic_load(&losses->high);

	if (run.first < low)
		run.first = low;
	if (run.end > high)
		run.end = high;
	return run;
}

bool vmsi_losses_has(const struct vmsi_losses *losses, uint64_t offset,
		     uint64_t length)
{
	const uint64_t page = vmsi_page_size();
	const struct vmsi_lost_run pages = {
		offset / page, (offset + length + page - 1) / page };
	const struct vmsi_lost_run run = within_hull(losses,
						     units_of(losses, pages));

	return length > 0 && run.first < run.end &&
		find_unit(losses, run, VMSI_LOST) < run.end;
}

int vmsi_losses_first(const struct vmsi_losses *losses, uint64_t *offset)
{
	const uint64_t first = atomic_load(&losses->first);

	*offset = first & ~(uint64_t)LOSS_WHY;
	return (first & LOSS_WHY) == LOSS_PAST_END ? ENXIO : EIO;
}

int vmsi_losses_why(const struct vmsi_losses *losses, uint64_t offset,
		    uint64_t length)
{
	uint64_t first;

	return vmsi_losses_has(losses, offset, length) ?
		-vmsi_losses_first(losses, &first) : 0;
}

bool vmsi_losses_next(const struct vmsi_losses *losses, uint64_t page,
		      struct vmsi_lost_run *run)
{
	const struct vmsi_lost_run from = { page, UINT64_MAX };
	const struct vmsi_lost_run left = within_hull(losses,
						      units_of(losses, from));
	struct vmsi_lost_run found;

	if (left.first >= left.end)
		return false;
	found.first = find_unit(losses, left, VMSI_LOST);
	found.end = find_unit(losses,
			      (struct vmsi_lost_run){ found.first, left.end },
			      VMSI_WHOLE);
	*run = pages_of(losses, found);
	return found.first < left.end;
}
