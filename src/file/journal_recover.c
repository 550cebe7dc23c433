/* SPDX-License-Identifier: MIT */
#include <errno.h>

#include "file/journal_inside.h"
#include "host/disk.h"
#include "host/host.h"

/* Finding out what a journal has, after a crash or beside a writer that lives. */

/* What has been found so far. */
struct scan {
	struct vmsi_walk walk;
	uint64_t sequence;     /* of the record before; 0: none */
	bool in_commit;        /* that record was a SPILL */
	uint64_t smallest;     /* of all records */
};

/*
 * A record follows the one before if it is of the same commit, or of a later one
 * behind a COMMIT.
 */
static bool follows(const struct scan *scan, const struct vmsi_head *head)
{
	return scan->in_commit ? head->sequence == scan->sequence :
				 head->sequence > scan->sequence;
}

static void note_commit(struct vmsi_journal *journal, const struct scan *scan)
{
	const struct vmsi_head *head = vmsi_walk_head(&scan->walk);

	journal->end = scan->walk.next;
	journal->chain = scan->walk.chain;
	journal->sequence = head->sequence + 1;
	journal->sizes = (struct vmsi_sizes){ head->smallest, head->size };
	journal->smallest = scan->smallest;
}

/* Look at the next record: 1 if it counts, 0 at the end of the chain, or -errno. */
static int scan_record(struct vmsi_journal *journal, struct scan *scan,
		       const char **problem)
{
	struct vmsi_head *head = vmsi_walk_head(&scan->walk);
	int found = vmsi_walk_next(&scan->walk);

	if (found < 0)
		return found;
	if (found == 0 || !follows(scan, head))
		return 0;
	*problem = vmsi_head_problem(head, journal->block);
	if (*problem)
		return -EBADMSG;
	found = vmsi_walk_images(&scan->walk, NULL, NULL);
	if (found)
		return found < 0 ? found : 0;
	scan->sequence = head->sequence;
	scan->smallest = vmsi_min(scan->smallest, head->smallest);
	scan->in_commit = head->kind == VMSI_RECORD_SPILL;
	if (!scan->in_commit)
		note_commit(journal, scan);
	return 1;
}

/* That all commits were found that are known to have been durable. */
static int check_end(const struct vmsi_journal *journal, const char **problem)
{
	const uint64_t durable = vmsi_max(journal->durable,
					  vmsi_journal_first(journal));
	const int found = journal->durable ? journal->end != durable :
		vmsi_walk_has_durable_behind(journal, journal->end);

	if (found <= 0)
		return found;
	*problem = journal->durable ?
		"a commit in the journal was damaged after it was written" :
		"a commit in the journal was damaged after it was written: later "
		"ones follow it";
	return -EBADMSG;
}

/* From the end of the commits that were found before. */
static int scan_on(struct vmsi_journal *journal, const char **problem)
{
	struct scan scan = { .walk = { .journal = journal,
				       .end = journal->durable ?
					       vmsi_min(journal->durable,
							journal->allocated) :
					       journal->allocated,
				       .next = journal->end,
				       .chain = journal->chain },
			     .sequence = journal->sequence - 1,
			     .smallest = UINT64_MAX };
	int found;

	do
		found = scan_record(journal, &scan, problem);
	while (found > 0);
	if (found == 0)
		found = check_end(journal, problem);
	journal->next_end = journal->end;
	journal->next_chain = journal->chain;
	return found;
}

int vmsi_journal_scan(struct vmsi_journal *journal, const char **problem)
{
	journal->end = journal->applied_end = vmsi_journal_first(journal);
	journal->chain = journal->applied_chain = journal->first_chain;
	journal->sequence = 1;
	journal->smallest = 0;
	return scan_on(journal, problem);
}

/* --- for readers -------------------------------------------------------------------------- */

/* The latest header, whether it is there or not: epoch and check; 0: none. */
static int read_latest(const struct vmsi_journal *journal, uint64_t *epoch,
		       uint64_t *check)
{
	const int error = vmsi_disk_read(journal->fd, journal->buffer,
					 journal->block, 0, NULL);

	*epoch = *check = 0;
	for (unsigned slot = 0; slot < 2 && !error; slot++) {
		const struct vmsi_header *header = (const struct vmsi_header *)
			(journal->buffer + vmsi_header_offset(slot,
							      journal->block));

		if (vmsi_header_state(header) != VMSI_HEADER_VALID ||
		    header->epoch <= *epoch)
			continue;
		*epoch = header->epoch;
		*check = header->check;
	}
	return error;
}

/* A record is written from its head on, and what was taken back has none. */
static int has_head_behind(const struct vmsi_journal *journal)
{
	struct vmsi_head head = { .magic = 0 };
	const int error = vmsi_disk_read(journal->fd, &head, sizeof(head),
					 journal->end, NULL);

	return error ? error : vmsi_head_is_of(&head, journal->salt,
					       journal->end);
}

int vmsi_journal_has_changed(const struct vmsi_journal *journal, bool is_frozen)
{
	uint64_t epoch, check;
	const int error = read_latest(journal, &epoch, &check);

	if (error)
		return error;
	if (epoch != journal->epoch || check != journal->first_chain)
		return 1;
	return is_frozen || journal->durable ? 0 : has_head_behind(journal);
}

int vmsi_journal_go_on(struct vmsi_journal *journal, uint64_t durable)
{
	const char *problem;
	struct stat status;
	int error = vmsi_journal_has_changed(journal, true);

	if (error)
		return error < 0 ? error : 0;
	error = (int)vmsi_host.fstat(journal->fd, &status);
	if (error)
		return error;
	vmsi_journal_file_length(journal, &status);
	journal->durable = durable;
	error = scan_on(journal, &problem);
	return error && error != -EBADMSG ? error : !error;
}

/* The visitor of the caller, who gets single pages, and what it has answered. */
struct visitor {
	int (*visit)(void *context, struct vmsi_image image,
		     struct vmsi_sizes sizes);
	void *context;
	size_t block;
	struct vmsi_sizes sizes;
	int answer;
};

static int visit_pages(void *context, uint64_t page, const char *bytes,
		       size_t pages)
{
	struct visitor *visitor = context;

	for (size_t i = 0; i < pages && visitor->answer == 0; i++)
		visitor->answer = visitor->visit(
			visitor->context,
			(struct vmsi_image){ page + i, bytes + i * visitor->block },
			visitor->sizes);
	return visitor->answer;
}

static int visit_record(struct vmsi_walk *walk, struct visitor *visitor)
{
	struct vmsi_head *head = vmsi_walk_head(walk);
	int result = vmsi_walk_next(walk);

	/* It was whole when the journal was opened, and may be a forger's by now. */
	if (result <= 0 || vmsi_head_problem(head, visitor->block))
		return result < 0 ? result : -EIO;
	visitor->sizes = (struct vmsi_sizes){ head->smallest, head->size };
	result = visitor->visit(visitor->context, (struct vmsi_image){ 0, NULL },
				visitor->sizes);
	if (result)
		return result;
	result = vmsi_walk_images(walk, visit_pages, visitor);
	if (visitor->answer)
		return visitor->answer;
	return result > 0 ? -EIO : result;
}

int vmsi_journal_each_page(struct vmsi_journal *journal,
			   int (*visit)(void *context, struct vmsi_image image,
					struct vmsi_sizes sizes),
			   void *context)
{
	struct vmsi_walk walk = { .journal = journal, .end = journal->end,
				  .next = journal->applied_end,
				  .chain = journal->applied_chain };
	struct visitor visitor = { .visit = visit, .context = context,
				   .block = journal->block };
	int result = 0;

	while (result == 0 && journal->fd >= 0 && walk.next < journal->end)
		result = visit_record(&walk, &visitor);
	if (result)
		return result;
	journal->applied_end = walk.next;
	journal->applied_chain = walk.chain;
	return 0;
}
