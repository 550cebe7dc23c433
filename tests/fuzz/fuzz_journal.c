/* SPDX-License-Identifier: MIT */
/*
 * Bytes as a journal that recovery finds. The first byte says how many checksums are
 * made right, so that what lies behind them is reached: 0 leaves the bytes as they are.
 * Whatever they are, nothing of the file is written where it is refused, nothing lies
 * past the end that the journal gives it, and a second recovery finds nothing to do.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../crash/memory_disk.h"
#include "file/journal.h"
#include "file/journal_format.h"
#include "host/host.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define HOME_SIZE 5000
#define JOURNAL_MOST ((size_t)1 << 20)
#define ARENA ((size_t)64 << 20)

static struct memory_disk disk;
static struct memory_arena arena;
static uint8_t journal_bytes[JOURNAL_MOST];

static void require(int condition)
{
	if (!condition)
		abort();
}

/* --- the generator: checks that fit -------------------------------------------------------- */

static const struct vmsi_header *mend_header(void)
{
	struct vmsi_header *header = (struct vmsi_header *)journal_bytes;
	uint64_t words[2] = { MEMORY_HOME + 1, 1000000002 };

	header->block = (uint32_t)vmsi_page_size();
	header->epoch &= UINT32_MAX;
	memcpy(header->identity, words, sizeof(words));
	vmsi_header_finish(header);
	return header;
}

/* Make one record right where it stands. Returns where the next one begins; 0: nowhere. */
static size_t mend_record(const struct vmsi_header *header, size_t at,
			  uint64_t *chain, size_t size)
{
	const size_t block = header->block;
	struct vmsi_head *head = (struct vmsi_head *)(journal_bytes + at);
	uint8_t *image;

	if (at + block > size)
		return 0;
	head->count %= 5;
	image = journal_bytes + at + vmsi_head_bytes(head->count, block);
	if (at + vmsi_record_bytes(head->count, block) > size)
		return 0;
	head->salt = header->salt;
	head->epoch = header->epoch;
	head->offset = at;
	head->previous = *chain;
	for (uint32_t i = 0; i < head->count; i++, image += block)
		vmsi_head_entries(head)[i].check =
			vmsi_journal_sum(image, block, header->salt);
	vmsi_head_finish(head);
	*chain = head->check;
	return at + (size_t)vmsi_record_bytes(head->count, block);
}

static void mend(unsigned records, size_t size)
{
	const struct vmsi_header *header = mend_header();
	uint64_t chain = header->check;
	size_t at = header->block;

	while (records-- > 0 && at > 0)
		at = mend_record(header, at, &chain, size);
}

/* --- recovery ---------------------------------------------------------------------------------- */

static int open_it(struct vmsi_journal *journal, enum vmsi_journal_mode mode)
{
	const char *problem = NULL;
	const int error = vmsi_journal_open(journal, memory_disk_home(),
					    MEMORY_JOURNAL_PATH, mode, &problem);

	require((error == -EBADMSG || error == -ESTALE) == (problem != NULL));
	return error;
}

static int visit(void *context, struct vmsi_image image,
		 struct vmsi_sizes sizes)
{
	volatile uint8_t byte;

	(void)context;
	require(sizes.smallest <= sizes.size);
	if (image.bytes)
		byte = ((const uint8_t *)image.bytes)[vmsi_page_size() - 1];
	(void)byte;
	return 0;
}

static void expect_home_untouched(void)
{
	require(disk.files[MEMORY_HOME].size == HOME_SIZE);
}

static void recover(void)
{
	struct vmsi_journal journal;
	const unsigned before = memory_disk_changes();
	int error = open_it(&journal, VMSI_JOURNAL_READ);

	if (!error) {
		(void)vmsi_journal_each_page(&journal, visit, NULL);
		require(vmsi_journal_close(&journal) == 0);
	}
	require(memory_disk_changes() == before);
	error = open_it(&journal, VMSI_JOURNAL_WRITE);
	if (error == -EBADMSG || error == -ESTALE) {
		require(memory_disk_changes() == before);
		expect_home_untouched();
	}
	if (error)
		return;
	require(journal.end == vmsi_page_size());
	require(vmsi_journal_close(&journal) == 0);
	require(disk.journal < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t home[HOME_SIZE] = { 1 };

	if (size == 0)
		return 0;
	if (!arena.bytes)
		memory_arena_open(&arena, ARENA);
	arena.used = 0;
	size = vmsi_min(size, JOURNAL_MOST);
	memory_disk_init(&disk, &arena);
	memset(journal_bytes, 0, sizeof(journal_bytes));
	memcpy(journal_bytes, data + 1, size - 1);
	/* Short inputs have all that follows as zeros. */
	if (data[0])
		mend(data[0], JOURNAL_MOST);
	memory_write(&disk, MEMORY_HOME, home, sizeof(home), 0);
	disk.journal = disk.made++;
	memory_write(&disk, disk.journal, journal_bytes,
		     data[0] ? JOURNAL_MOST : size - 1, 0);
	memory_disk_enter(&disk);
	recover();
	memory_disk_leave();
	return 0;
}
