/* SPDX-License-Identifier: MIT */
/*
 * Bytes as calls on a small space. Any call may be refused; after each of them
 * the space's own invariants hold, its list and its ledger agree, and a call
 * that is defined to do nothing when it fails has done nothing.
 *
 * There is no mseal: a space with a seal cannot be closed, and an input must
 * not leave anything behind. With VMS_TRACE set the calls are printed.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kernel/operation.h"
#include "base/mman.h"
#include "space/inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SPACE_PAGES 1024
#define OPERATIONS_MOST 200
#define FILE_PAGES 5

struct input {
	const uint8_t *at;
	size_t left;
};

static unsigned byte(struct input *input)
{
	if (input->left == 0)
		return 0;
	input->left--;
	return *input->at++;
}

static unsigned word(struct input *input)
{
	unsigned low = byte(input);

	return low | byte(input) << 8;
}

_Noreturn static void broken(const char *what)
{
	(void)fprintf(stderr, "fuzz_space: %s\n", what);
	abort();
}

/* --- decoding ------------------------------------------------------------------ */

static const uintptr_t odd_numbers[] = {
	0, 1, 4095, (uintptr_t)-1, (uintptr_t)-4096, (uintptr_t)-8192,
	(uintptr_t)1 << 63, (uintptr_t)1 << 62, (uintptr_t)1 << 47,
	(uintptr_t)1 << 40, (uintptr_t)-65536, 4097,
};

static uintptr_t odd_number(unsigned choice)
{
	return odd_numbers[choice % (sizeof odd_numbers / sizeof *odd_numbers)];
}

/*
 * Mostly a page in the low part of the space, so that calls meet; some beyond
 * its end, some with bits below the page, some anywhere.
 */
static struct place decode_place(struct input *input, size_t page)
{
	unsigned choice = byte(input), number = byte(input);

	if (choice < 200)
		return (struct place){ PLACE_WINDOW, number % 64 * page };
	if (choice < 230)
		return (struct place){ PLACE_WINDOW, number * 5 * page };
	if (choice < 240)
		return (struct place){ PLACE_WINDOW, number * 16 + 1 };
	return (struct place){ PLACE_ABSOLUTE, odd_number(number) };
}

static size_t decode_length(struct input *input, size_t page)
{
	unsigned choice = byte(input);

	if (choice < 220)
		return (choice % 20 + 1) * page;
	if (choice < 240)
		return choice * 77;
	return choice == 255 ? SPACE_PAGES * page : odd_number(choice);
}

static int decode_map_flags(struct input *input)
{
	static const int sharing[] = {
		MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS,
		MAP_PRIVATE, MAP_SHARED, MAP_SHARED_VALIDATE,
		MAP_PRIVATE | MAP_ANONYMOUS, MAP_DROPPABLE | MAP_ANONYMOUS, 0,
	};
	static const int more[] = {
		MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_POPULATE, MAP_NORESERVE,
		MAP_LOCKED, MAP_GROWSDOWN, MAP_STACK, MAP_HUGETLB,
	};
	int flags = sharing[byte(input) % 8];
	unsigned bits = byte(input) & byte(input);

	for (unsigned i = 0; i < 8; i++)
		if (bits & 1u << i)
			flags |= more[i];
	return byte(input) < 160 ? flags | MAP_FIXED : flags;
}

/* HWPOISON and SOFT_OFFLINE would take pages from the machine. */
static int decode_advice(struct input *input)
{
	int advice = (int)byte(input);

	return advice == 100 || advice == 101 ? MADV_NORMAL : advice;
}

static void decode(struct input *input, size_t page, struct operation *op)
{
	op->address = decode_place(input, page);
	op->length = decode_length(input, page);
	op->file = FILE_NONE;
	switch (op->kind) {
	case OP_MMAP:
		op->flags = decode_map_flags(input);
		op->prot = (int)(byte(input) & 7);
		op->file = (int)(byte(input) % FILES);
		op->offset = (off_t)(byte(input) % 8 * page);
		break;
	case OP_MREMAP:
		op->new_length = decode_length(input, page);
		op->new_address = decode_place(input, page);
		op->flags = (int)(byte(input) & 15);
		break;
	case OP_MPROTECT:
		op->prot = (int)(byte(input) & 7);
		if (byte(input) > 250)
			op->prot |= PROT_GROWSDOWN;
		break;
	case OP_MADVISE:
		op->advice = decode_advice(input);
		break;
	case OP_TRUNCATE:
		op->file = FILE_MEMORY;
		op->new_length = word(input) % (8 * page);
		break;
	case OP_TOUCH:
		op->byte = (unsigned char)byte(input);
		break;
	default:
		op->flags = (int)(byte(input) % 8);
		break;
	}
}

/* --- what holds after each call ----------------------------------------------------- */

struct digest {
	size_t mappings;
	size_t sum;       /* of what the list says */
	size_t committed;
};

static void mix(struct digest *digest, size_t value)
{
	digest->sum = (digest->sum << 7 | digest->sum >> 57) ^
		      value * 0x9e3779b97f4a7c15u;
}

static void check_entry(const struct caller *c,
			const struct vms_mapping_info *info, uintptr_t reached)
{
	if (info->start < reached || info->length == 0 ||
	    info->length > c->size - (info->start - (uintptr_t)c->base))
		broken("a listed mapping is out of order or out of the space");
	if (info->start % c->page != 0 || info->length % c->page != 0)
		broken("a listed mapping is not of whole pages");
}

static struct digest take_digest(const struct caller *c)
{
	static struct vms_mapping_info info;
	struct vms_space_stats stats = { .struct_size = sizeof stats };
	struct digest digest = { 0 };
	uintptr_t cursor = 0, reached = (uintptr_t)c->base;
	size_t mapped = 0;

	info.struct_size = sizeof info;
	while (vms_space_next_mapping(c->space, &cursor, &info, 0) == 1) {
		check_entry(c, &info, reached);
		reached = info.start + info.length;
		mapped += info.length;
		digest.mappings++;
		digest.committed += info.committed;
		mix(&digest, info.start);
		mix(&digest, info.length);
		mix(&digest, (size_t)info.prot << 32 | info.flags);
		mix(&digest, info.inode);
		mix(&digest, info.offset);
	}
	if (vms_space_get_stats(c->space, &stats) != 0)
		broken("the figures of the space cannot be read");
	if (stats.committed != digest.committed)
		broken("the ledger is not the sum over the list");
	if (stats.mapped != mapped || stats.mappings != digest.mappings)
		broken("the figures are not those of the list");
	return digest;
}

static void check_space(const struct caller *c)
{
	const char *wrong = vmsi_space_check(c->space);

	if (wrong != NULL)
		broken(wrong);
}

static void check_unchanged(const struct digest *before,
			    const struct digest *after)
{
	if (before->mappings != after->mappings || before->sum != after->sum ||
	    before->committed != after->committed)
		broken("a call that failed has changed something");
}

/* --- calls --------------------------------------------------------------------------- */

enum {
	OWN_DECOMMIT = OP_KINDS,
	OWN_NAME,
	OWN_LIMIT,
	OWN_HANDLE_OPEN,
	OWN_HANDLE_USE,
	OWN_KINDS,
};

struct target {
	struct caller caller;
	struct files *files;
	vms_handle handle;
};

static bool is_in_space(const struct caller *c, intptr_t address, size_t length)
{
	return vms_space_contains(c->space, (void *)address, length);
}

static void trace(const struct operation *op, const struct caller *c,
		  intptr_t result)
{
	if (getenv("VMS_TRACE") == NULL)
		return;
	operation_print(stderr, op, c->page);
	if (ANSWERS_ADDRESS(op->kind) && result > 0)
		result = (result - (intptr_t)c->base) / (intptr_t)c->page;
	(void)fprintf(stderr, " /* %zd */\n", (ssize_t)result);
}

/*
 * Calls that do nothing when they fail. Not mmap of huge pages over mappings:
 * Linux has unmapped them when it finds that there are no huge pages.
 */
static bool is_all_or_nothing(const struct operation *op)
{
	if (op->kind == OP_MMAP)
		return !(op->flags & MAP_HUGETLB && op->flags & MAP_FIXED);
	return op->kind == OP_MUNMAP || op->kind == OP_MINCORE ||
	       op->kind == OP_MSYNC;
}

static void call_of_linux(struct target *t, const struct operation *op)
{
	struct caller *c = &t->caller;
	struct digest before = take_digest(c), after;
	struct answer answer;

	operation_execute(op, c, t->files, &answer);
	trace(op, c, answer.result);
	if (ANSWERS_ADDRESS(op->kind) && answer.result > 0 &&
	    !is_in_space(c, answer.result, 1))
		broken("an address outside the space was given");
	after = take_digest(c);
	if (answer.result < 0 && is_all_or_nothing(op))
		check_unchanged(&before, &after);
}

static void decommit(struct target *t, struct input *input)
{
	struct caller *c = &t->caller;
	struct digest before = take_digest(c), after;
	struct place place = decode_place(input, c->page);
	size_t length = decode_length(input, c->page);
	int result = vms_decommit(c->space, place_address(c, place), length,
				  byte(input) % 3);

	after = take_digest(c);
	if (result != 0)
		check_unchanged(&before, &after);
}

static void name(struct target *t, struct input *input)
{
	static const char *const names[] = {
		NULL, "a", "b", "", "with space", "bad\\name", "\x01",
		"012345678901234567890123456789012345678901234567890123456789012345678901234567890",
	};
	struct caller *c = &t->caller;
	struct place place = decode_place(input, c->page);
	size_t length = decode_length(input, c->page);

	(void)vms_set_name(c->space, place_address(c, place), length,
			   names[byte(input) % 8]);
}

static void limit(struct target *t, struct input *input)
{
	size_t pages = byte(input);

	(void)vms_space_set_commit(t->caller.space, pages * t->caller.page,
				   (enum vms_commit_policy)(byte(input) % 4));
}

static void open_handle(struct target *t, struct input *input)
{
	struct caller *c = &t->caller;
	struct place place = decode_place(input, c->page);
	size_t length = decode_length(input, c->page);
	vms_handle handle;

	if (vms_handle_open(c->space, place_address(c, place), length,
			    &handle) == 0)
		t->handle = handle;
}

/* A stale handle ends a debug build by design, and any may be stale by now. */
#ifdef VMSI_DEBUG
#define STALE_IS_FATAL true
#else
#define STALE_IS_FATAL false
#endif

static void use_handle(struct target *t, struct input *input)
{
	struct caller *c = &t->caller;
	unsigned choice = byte(input) % 4;
	size_t length = decode_length(input, c->page);

	if (t->handle.value == 0 || STALE_IS_FATAL)
		return;
	if (choice == 0)
		(void)vms_handle_at(c->space, t->handle, length, c->page);
	else if (choice < 3)
		(void)vms_handle_resize(c->space, t->handle, length);
	else if (vms_handle_close(c->space, t->handle) == 0)
		t->handle = VMS_HANDLE_NONE;
}

static void call(struct target *t, struct input *input)
{
	unsigned kind = byte(input) % OWN_KINDS;
	struct operation op = { .kind = OP_MMAP };

	if (kind == OWN_DECOMMIT)
		decommit(t, input);
	else if (kind == OWN_NAME)
		name(t, input);
	else if (kind == OWN_LIMIT)
		limit(t, input);
	else if (kind == OWN_HANDLE_OPEN)
		open_handle(t, input);
	else if (kind == OWN_HANDLE_USE)
		use_handle(t, input);
	if (kind >= OP_KINDS || kind == OP_MSEAL)
		return;
	op.kind = (enum operation_kind)kind;
	decode(input, t->caller.page, &op);
	if (op.kind == OP_MINCORE && op.length > MINCORE_PAGES * t->caller.page)
		op.length = MINCORE_PAGES * t->caller.page;
	/* What lies beside the space is not the input's to write to. */
	if (op.kind == OP_TOUCH &&
	    !is_in_space(&t->caller,
			 (intptr_t)place_address(&t->caller, op.address), 1))
		return;
	call_of_linux(t, &op);
}

/* --- an input ---------------------------------------------------------------------------- */

static struct files *open_files(size_t page)
{
	static struct files files;
	static bool open;

	if (!open && files_open(&files, page) != 0)
		broken("the files cannot be made");
	open = true;
	if (ftruncate(files.fd[FILE_MEMORY], (off_t)(FILE_PAGES * page)) != 0)
		broken("a file cannot be resized");
	return &files;
}

static void close_space(struct caller *c)
{
	struct digest empty;

	if (vms_munmap(c->space, c->base, c->size) != 0)
		broken("all of the space cannot be unmapped");
	empty = take_digest(c);
	if (empty.mappings != 0 || empty.committed != 0)
		broken("an empty space is not empty");
	if (vms_space_close(c->space) != 0)
		broken("the space cannot be closed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input input = { data, size };
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct vms_space_options options = {
		.struct_size = sizeof options,
		.commit_limit = (64 + byte(&input)) * page,
		.commit_policy = (enum vms_commit_policy)(byte(&input) % 3),
		.placement = byte(&input) & 1 ? VMS_PLACE_TOP :
						VMS_PLACE_BOTTOM,
	};
	struct target target = { .files = open_files(page),
				 .handle = VMS_HANDLE_NONE };

	catch_faults();
	if (caller_open(&target.caller, CALLER_SPACE, SPACE_PAGES * page,
			&options, 0) != 0)
		broken("the space cannot be opened");
	for (int i = 0; i < OPERATIONS_MOST && input.left != 0; i++) {
		call(&target, &input);
		check_space(&target.caller);
	}
	close_space(&target.caller);
	return 0;
}
