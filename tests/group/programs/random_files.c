/* SPDX-License-Identifier: MIT */
#include "steps.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * usage: random-files DESCRIPTOR STEP=SEED
 *
 * Maps pieces of two memfds at random, in a group with a limit of LIMIT MiB,
 * and knows which pages it has mapped writable: what is granted and what is
 * refused is compared with that. Offsets and lengths are in MiB.
 */

#define MIB ((size_t)1 << 20)
#define LIMIT 64
/* What the processes themselves have, at most. */
#define OWN 3
#define FILES 2
#define FILE_MIB 50u
#define SLOTS 12
#define OPERATIONS 400
#define PROCESSES 4
#define BOTH (PROT_READ | PROT_WRITE)

struct slot {
	char *start;               /* NULL: none */
	int file;
	unsigned offset, length;
	bool writable;
};

struct holder {
	struct slot slots[SLOTS];
	void *private;
	unsigned private_length;
};

static int files[FILES];

static unsigned below(unsigned end)
{
	return (unsigned)rand() % end;
}

static int make_files(void)
{
	for (int i = 0; i < FILES; i++) {
		files[i] = memfd_create("random", MFD_CLOEXEC);
		if (files[i] < 0 || ftruncate(files[i], FILE_MIB * MIB))
			return errno;
	}
	return 0;
}

/* --- what must count ------------------------------------------------------ */

static unsigned sum_of(const struct holder *holders, int count,
		       const struct slot *also)
{
	bool has[FILES][FILE_MIB] = { { false } };
	unsigned sum = 0;

	for (int i = 0; i < count; i++) {
		for (int j = 0; j < SLOTS; j++) {
			const struct slot *slot = &holders[i].slots[j];

			if (slot->start && slot->writable)
				memset(&has[slot->file][slot->offset], true,
				       slot->length);
		}
		sum += holders[i].private_length;
	}
	if (also)
		memset(&has[also->file][also->offset], true, also->length);
	for (int i = 0; i < FILES; i++)
		for (unsigned at = 0; at < FILE_MIB; at++)
			sum += has[i][at];
	return sum;
}

/* With so much afterwards: whether an answer is right. */
static bool is_right(unsigned sum, bool granted)
{
	return granted ? sum <= LIMIT : sum > LIMIT - OWN;
}

/* --- one operation -------------------------------------------------------- */

static struct slot random_part(void)
{
	struct slot slot = {
		.file = (int)below(FILES), .offset = below(FILE_MIB),
		.writable = true,
	};

	slot.length = 1 + below(FILE_MIB - slot.offset);
	return slot;
}

/* At an address, or anywhere; NULL: refused. */
static char *map(const struct slot *slot, char *at)
{
	char *made = mmap(at, slot->length * MIB, BOTH,
			  MAP_SHARED | (at ? MAP_FIXED : 0), files[slot->file],
			  (off_t)(slot->offset * MIB));

	return made == MAP_FAILED ? NULL : made;
}

static bool map_part(struct holder *holder, struct slot *slot)
{
	struct slot made = random_part();
	const unsigned sum = sum_of(holder, 1, &made);

	made.start = map(&made, NULL);
	if (made.start)
		*slot = made;
	return is_right(sum, made.start);
}

/* What is mapped over is charged until then. */
static bool map_over(struct holder *holder, struct slot *slot)
{
	struct slot made = random_part();
	unsigned sum;

	if (made.length > slot->length)
		made.length = slot->length;
	sum = sum_of(holder, 1, &made);
	made.start = map(&made, slot->start);
	if (!made.start)
		return is_right(sum, false);
	if (slot->length > made.length)
		munmap(made.start + made.length * MIB,
		       (slot->length - made.length) * MIB);
	*slot = made;
	return is_right(sum_of(holder, 1, NULL), true);
}

static bool turn_writable(struct holder *holder, struct slot *slot)
{
	const bool wanted = !slot->writable;
	const unsigned sum = sum_of(holder, 1, wanted ? slot : NULL);
	const bool done = mprotect(slot->start, slot->length * MIB,
				   wanted ? BOTH : PROT_READ) == 0;

	if (done)
		slot->writable = wanted;
	return is_right(sum, done) || (!wanted && done);
}

static bool make_longer(struct holder *holder, struct slot *slot)
{
	struct slot longer = *slot;
	unsigned sum;

	if (!slot->writable || slot->offset + slot->length == FILE_MIB)
		return true;
	longer.length += 1 + below(FILE_MIB - slot->offset - slot->length);
	sum = sum_of(holder, 1, &longer);
	longer.start = mremap(slot->start, slot->length * MIB,
			      longer.length * MIB, MREMAP_MAYMOVE);
	if (longer.start == MAP_FAILED)
		return is_right(sum, false);
	*slot = longer;
	return is_right(sum, true);
}

static void unmap(struct slot *slot)
{
	munmap(slot->start, slot->length * MIB);
	*slot = (struct slot){ .start = NULL };
}

static bool change_private(struct holder *holder)
{
	const unsigned length = 1 + below(30);
	unsigned sum;
	void *made;

	if (holder->private_length) {
		munmap(holder->private, holder->private_length * MIB);
		holder->private_length = 0;
		return true;
	}
	sum = sum_of(holder, 1, NULL) + length;
	made = mmap(NULL, length * MIB, BOTH, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		    0);
	if (made == MAP_FAILED)
		return is_right(sum, false);
	holder->private = made;
	holder->private_length = length;
	return is_right(sum, true);
}

static bool operate(struct holder *holder)
{
	struct slot *slot = &holder->slots[below(SLOTS)];

	if (below(8) == 0)
		return change_private(holder);
	if (!slot->start)
		return map_part(holder, slot);
	switch (below(5)) {
	case 0:
		return map_over(holder, slot);
	case 1:
		return turn_writable(holder, slot);
	case 2:
		return make_longer(holder, slot);
	default:
		unmap(slot);
		return true;
	}
}

/* --- steps ---------------------------------------------------------------- */

/* One process: each answer is compared. */
static int do_alone(size_t seed)
{
	struct holder holder = { .private_length = 0 };
	const int error = make_files();

	srand((unsigned)seed);
	for (int i = 0; !error && i < OPERATIONS; i++)
		if (!operate(&holder)) {
			say_number("operation", (size_t)i);
			return EPROTO;
		}
	return error;
}

static int be_one_of_many(struct holder *holder, unsigned seed, int done,
			  int go_on)
{
	char byte = 0;

	srand(seed);
	for (int i = 0; i < OPERATIONS; i++)
		(void)operate(holder);
	if (write(done, &byte, 1) != 1)
		return errno;
	return read(go_on, &byte, 1) == 0 ? 0 : EIO;
}

/* What is left for private memory, when all that they have is known. */
static int check_left(const struct holder *holders)
{
	const unsigned sum = sum_of(holders, PROCESSES, NULL);
	const unsigned left = sum < LIMIT ? LIMIT - sum : 0;
	void *made;

	say_number("left", left);
	if (sum > LIMIT)
		return EOVERFLOW;
	made = mmap(NULL, (left + 1) * MIB, BOTH, MAP_PRIVATE | MAP_ANONYMOUS,
		    -1, 0);
	if (made != MAP_FAILED)
		return EPROTO;
	if (left <= OWN)
		return 0;
	made = mmap(NULL, (left - OWN) * MIB, BOTH,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return made == MAP_FAILED ? errno : 0;
}

/* Several at once: what is left is compared when all have come to rest. */
static int do_together(size_t seed)
{
	struct holder *holders = share(PROCESSES * sizeof *holders);
	int done[2], go_on[2], error = make_files();
	pid_t children[PROCESSES];
	char byte;

	if (error || pipe(done) || pipe(go_on))
		return error ? error : errno;
	for (unsigned i = 0; i < PROCESSES; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			close(go_on[1]);
			_exit(be_one_of_many(&holders[i],
					     (unsigned)seed * PROCESSES + i,
					     done[1], go_on[0]));
		}
		if (children[i] < 0)
			return errno;
	}
	close(done[1]);
	for (int i = 0; i < PROCESSES && !error; i++)
		error = read(done[0], &byte, 1) == 1 ? 0 : EIO;
	if (!error)
		error = check_left(holders);
	close(go_on[1]);
	for (int i = 0; i < PROCESSES; i++)
		if (wait_for(children[i]) && !error)
			error = ECHILD;
	return error;
}

int main(int argc, char **argv)
{
	static const struct step steps[] = {
		{ "alone", do_alone }, { "together", do_together },
		{ NULL, NULL },
	};

	return take_steps(argc, argv, steps, 1);
}
