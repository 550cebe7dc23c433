/* SPDX-License-Identifier: MIT */
#include "file/losses.h"

#include <errno.h>
#include <sys/mman.h>

#include "base/align.h"
#include "host/host.h"

#define WORD_PAGES 64u

/* Why the first page was lost, below its offset. */
enum { LOSS_PAST_END = 1, LOSS_UNREADABLE = 2, LOSS_WHY = 3 };

int vmsi_losses_open(struct vmsi_losses *losses, uint64_t maximum)
{
	const uint64_t words = maximum / vmsi_page_size() / WORD_PAGES + 1;
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

/* The bits that a run has in the word of a page. */
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

void vmsi_losses_mark(struct vmsi_losses *losses, struct vmsi_lost_run run,
		      enum vmsi_loss_mark mark)
{
	for (uint64_t word = run.first / WORD_PAGES;
	     word * WORD_PAGES < run.end; word++) {
		const uint64_t bits = word_bits(run, word);

		if (mark == VMSI_LOST)
			atomic_fetch_or(&losses->pages[word], bits);
		else
			atomic_fetch_and(&losses->pages[word], ~bits);
	}
}

/* The first page from one on, and below end, that is lost, or that is not. */
static uint64_t find_page(const struct vmsi_losses *losses,
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

static void widen(struct vmsi_losses *losses, struct vmsi_lost_run run)
{
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

	if (run.end > losses->pages_bytes * 8)
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

/* What of a run may have lost pages at all. */
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
	const struct vmsi_lost_run run = within_hull(
		losses, (struct vmsi_lost_run){
			offset / page, (offset + length + page - 1) / page });

	return length > 0 && run.first < run.end &&
		find_page(losses, run, VMSI_LOST) < run.end;
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
	const struct vmsi_lost_run left = within_hull(
		losses, (struct vmsi_lost_run){ page, UINT64_MAX });

	if (left.first >= left.end)
		return false;
	run->first = find_page(losses, left, VMSI_LOST);
	run->end = find_page(losses,
			     (struct vmsi_lost_run){ run->first, left.end },
			     VMSI_WHOLE);
	return run->first < left.end;
}
