/* SPDX-License-Identifier: MIT */
#include "peer.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define REPLY_SECONDS 20
#define SPINS 2000
#define HUGE_PAGE ((size_t)2 << 20)

/* The two sides. */

static void post(_Atomic uint32_t *word)
{
	atomic_fetch_add(word, 1);
	(void)syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

/* Wait until *word is value. Returns 0 or -ETIMEDOUT. */
static int wait_for(_Atomic uint32_t *word, uint32_t value)
{
	struct timespec timeout = { .tv_sec = REPLY_SECONDS };
	uint32_t now;

	for (int i = 0; i < SPINS; i++)
		if (atomic_load_explicit(word, memory_order_acquire) == value)
			return 0;
	while ((now = atomic_load(word)) != value)
		if (syscall(SYS_futex, word, FUTEX_WAIT, now, &timeout, NULL,
			    0) != 0 && errno == ETIMEDOUT)
			return -ETIMEDOUT;
	return 0;
}

void peer_send(struct peer *peer)
{
	post(&peer->channel->requests);
}

int peer_wait(struct peer *peer)
{
	struct peer_channel *channel = peer->channel;
	int result = wait_for(&channel->replies,
			      atomic_load(&channel->requests));

	return result != 0 ? result : channel->failure;
}

/* The child: placement. */

struct child {
	struct peer_channel *channel;
	struct caller caller;
	struct files files;
	struct layout_reader reader;
};

static void execute(struct child *child, const struct operation *operation)
{
	operation_execute(operation, &child->caller, &child->files,
			  &child->channel->answer);
}

/* Only whole huge pages can be unmapped. */
static size_t mapped_length(const struct operation *operation)
{
	if (!(operation->flags & MAP_HUGETLB))
		return operation->length;
	return (operation->length + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

/*
 * An mmap without a fixed address gets the hint as it was given; if the kernel
 * chooses another place than the space, the mapping is made there.
 */
static void execute_mmap(struct child *child, const struct operation *operation)
{
	struct operation wish = *operation;
	struct caller *caller = &child->caller;
	intptr_t wanted = child->channel->wanted;
	intptr_t *result = &child->channel->answer.result;
	uintptr_t hint = (uintptr_t)place_address(caller, operation->address);
	uintptr_t rounded = hint & ~(caller->page - 1);

	wish.address = (struct place){ PLACE_WINDOW, (size_t)wanted };
	/*
	 * To align large mappings of files the kernel searches for a larger hole,
	 * and may reject a hint that is free.
	 */
	if (operation->length >= HUGE_PAGE) {
		wish.flags |= MAP_FIXED_NOREPLACE;
		if ((wish.flags & MAP_SHARED_VALIDATE) == MAP_SHARED_VALIDATE)
			wish.flags &= ~MAP_PRIVATE;
	}
	if (hint != 0) {
		execute(child, operation);
		if (*result < 0 || *result == (intptr_t)rounded)
			return;
		(void)caller->munmap(caller, (void *)*result,
				     mapped_length(operation));
	}
	execute(child, &wish);
}

/* If the kernel moves a mapping elsewhere than the space, move it once more. */
static void execute_mremap(struct child *child,
			   const struct operation *operation)
{
	struct caller *caller = &child->caller;
	intptr_t *result = &child->channel->answer.result;
	char *wish = caller->base + child->channel->wanted;
	intptr_t old = (intptr_t)place_address(caller, operation->address);

	execute(child, operation);
	if (*result < 0 || *result == old || *result == (intptr_t)wish)
		return;
	*result = caller->mremap(caller, (void *)*result, operation->new_length,
				 operation->new_length,
				 MREMAP_MAYMOVE | MREMAP_FIXED, wish);
}

static bool is_placed_mmap(const struct operation *operation)
{
	return operation->kind == OP_MMAP &&
	       !(operation->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE));
}

static bool is_placed_mremap(const struct operation *operation)
{
	return operation->kind == OP_MREMAP &&
	       operation->flags & MREMAP_MAYMOVE &&
	       !(operation->flags & MREMAP_FIXED);
}

static void execute_like_space(struct child *child)
{
	struct peer_channel *channel = child->channel;
	const struct operation *operation = &channel->operation;
	intptr_t *result = &channel->answer.result;

	if (channel->wanted >= 0 && is_placed_mmap(operation))
		execute_mmap(child, operation);
	else if (channel->wanted >= 0 && is_placed_mremap(operation))
		execute_mremap(child, operation);
	else
		execute(child, operation);
	if (*result > 0 && ANSWERS_ADDRESS(operation->kind))
		*result -= (intptr_t)child->caller.base;
}

static void answer_request(struct child *child)
{
	struct peer_channel *channel = child->channel;

	if (channel->has_operation)
		execute_like_space(child);
	channel->failure = layout_of_host(&channel->layout, &child->reader,
					  &child->caller, &child->files,
					  LAYOUT_MAPS);
	if (channel->want_flags && channel->failure == 0)
		channel->failure = layout_of_host(&channel->flagged,
						  &child->reader,
						  &child->caller, &child->files,
						  LAYOUT_SMAPS);
	for (size_t i = 0; i < channel->sample_count; i++)
		channel->digests[i] =
			peek_page(child->caller.base +
				  channel->samples[i] * child->caller.page,
				  child->caller.page);
}

_Noreturn static void child_main(struct peer_channel *channel, size_t size,
				 uintptr_t residue)
{
	static struct child child;
	uint32_t served = 0;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	child.channel = channel;
	channel->failure = caller_open(&child.caller, CALLER_KERNEL, size, NULL,
				       residue);
	if (channel->failure == 0)
		channel->failure = files_open(&child.files, child.caller.page);
	if (channel->failure == 0)
		channel->failure = layout_reader_open(&child.reader);
	catch_faults();
	for (;;) {
		post(&channel->replies);
		served++;
		while (wait_for(&channel->requests, served + 1) != 0)
			;
		if (channel->quit)
			_exit(0);
		answer_request(&child);
	}
}

int peer_start(struct peer *peer, size_t size, uintptr_t residue)
{
	struct peer_channel *channel =
		mmap(NULL, sizeof *channel, PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (channel == MAP_FAILED)
		return -errno;
	peer->channel = channel;
	atomic_store(&channel->requests, 1);
	peer->pid = fork();
	if (peer->pid < 0)
		return -errno;
	if (peer->pid == 0)
		child_main(channel, size, residue);
	return peer_wait(peer);
}

void peer_stop(struct peer *peer)
{
	peer->channel->quit = true;
	peer_send(peer);
	(void)waitpid(peer->pid, NULL, 0);
	(void)munmap(peer->channel, sizeof *peer->channel);
}
