/* SPDX-License-Identifier: MIT */
#include "plain_world.h"

#include <stdlib.h>

#include "pool/plain/bring.h"
#include "pool/plain/touch.h"
#include "pool/write/copy.h"

#undef memcpy

#define VERSION_SHIFT 17
#define PAGE 0

enum plain_start plain_start;
struct plain_world plain;
struct vms_pool plain_pool;

/* --- accesses by plain pointers ---------------------------------------------------------------- */

/* One instruction of a program: it is done, or faults. */
static bool can_store(struct part *part)
{
	(void)get(&part->is_there);
	schedule_note(part->is_protected);
	return part->is_there && !part->is_protected;
}

static int touch(const struct part *part, enum vmsi_access access)
{
	return vmsi_touch(&plain_pool, (uintptr_t)part, access);
}

/* false: the host has refused to let it work. */
static bool may_store(struct thread *thread, struct part *part, enum vmsi_access access)
{
	for (;;) {
		begin_again(thread, (uint64_t)(part - plain.parts));
		if (can_store(part))
			return true;
		if (touch(part, access) != 0) {
			if (!thread->fails)
				schedule_fail("a store is refused");
			return false;
		}
		try_again(thread);
	}
}

static void store_by(struct thread *thread, enum vmsi_access access)
{
	struct part *part = &plain.parts[thread->place];

	if (may_store(thread, part, access))
		part->plain = ++plain.stored[thread->place];
}

void store(struct thread *thread)
{
	store_by(thread, VMSI_ACCESS_STORE);
}

void store_unknown(struct thread *thread)
{
	store_by(thread, VMSI_ACCESS_UNKNOWN);
}

void store_if_it_works(struct thread *thread)
{
	struct part *part = &plain.parts[thread->place];

	if (can_store(part))
		part->plain = ++plain.stored[thread->place];
}

void load(struct thread *thread)
{
	const struct part *part = &plain.parts[thread->place];

	for (;;) {
		begin_again(thread, 0);
		if (get(&part->is_there))
			break;
		if (touch(part, VMSI_ACCESS_LOAD) != 0)
			schedule_fail("a load is refused");
		try_again(thread);
	}
	if (part->plain != plain.stored[thread->place])
		schedule_fail("a load finds an older value");
}

/* --- a fix ---------------------------------------------------------------------------------------- */

/* As vmsi_hold_opened of miss.c. */
static bool open_held(struct thread *thread, uint64_t word)
{
	if (word & VMSI_WORD_WRITABLE || vmsi_bring_open(&plain_pool, PAGE) == 0)
		return true;
	if (!thread->fails)
		schedule_fail("a fix is refused");
	(void)vmsi_word_unlock(&plain.word, VERSION_SHIFT);
	return false;
}

/* As vmsi_hold_page, for writing. */
static bool hold_to_write(struct thread *thread)
{
	for (;;) {
		uint64_t seen, word;

		begin_again(thread, PARTS);
		switch (vmsi_word_try(&plain.word, VMSI_WRITE, &seen)) {
		case VMSI_WORD_GOT:
			return open_held(thread, seen);
		case VMSI_WORD_HELD:
			vmsi_word_wait(&plain.word, seen);
			break;
		case VMSI_WORD_ABSENT:
			if (!vmsi_word_take_absent(&plain.word, seen))
				break;
			if (vmsi_bring_page(&plain_pool, PAGE, 0, VMSI_WRITE, &word) == 0)
				return true;
			vmsi_word_give_back(&plain.word);
			return false;
		}
	}
}

void change_fixed(struct thread *thread)
{
	if (!hold_to_write(thread))
		return;
	for (unsigned i = 0; i < PARTS; i++) {
		thread->noted = i + 1;
		if (!may_store(thread, &plain.parts[i], VMSI_ACCESS_STORE))
			schedule_fail("what is fixed for writing cannot be stored to");
		plain.parts[i].fixed = plain.changed + 1;
	}
	plain.changed++;
	if (!vmsi_word_unlock(&plain.word, VERSION_SHIFT))
		schedule_fail("a writer is not one any more");
}

/* --- to leave -------------------------------------------------------------------------------------- */

static void drop_part(unsigned place)
{
	struct part *part = &plain.parts[place];

	begin_again(running, place);
	(void)get(&part->is_there);
	if (part->is_there && (part->plain != plain.file[place].plain ||
			       part->fixed != plain.file[place].fixed))
		schedule_fail("a page has left, and a store to it is lost");
	*part = (struct part){ .plain = 9999, .fixed = 9999 };
}

/* As evict.c. false: it cannot leave just now. */
static bool take_to_evict(void)
{
	const uint64_t seen = vmsi_word_load(&plain.word);
	const uint64_t looked_at = fault == LEAVES_WHILE_WRITTEN ?
		seen & ~VMSI_WORD_WRITING : seen;

	return vmsi_word_can_leave(looked_at) && vmsi_word_take_resident(&plain.word, seen);
}

void evict(struct thread *thread)
{
	if (!take_to_evict())
		return;
	/* Where the host drops nothing it stays. */
	if (thread->fails) {
		vmsi_word_renew(&plain.word, VERSION_SHIFT);
		return;
	}
	for (unsigned i = 0; i < PARTS; i++)
		drop_part(i);
	begin_again(thread, PARTS);
	vmsi_word_drop(&plain.word, VERSION_SHIFT);
}

/* What is left of it is taken away when it is brought again. */
void evict_in_part(struct thread *thread)
{
	(void)thread;
	if (!take_to_evict())
		return;
	drop_part(0);
	vmsi_word_drop(&plain.word, VERSION_SHIFT);
}

/* --- to write -------------------------------------------------------------------------------------- */

/* Where a thread is that knows nothing else, as in plain_host.c. */
enum { ENDS_WRITE = 70, HAS_WRITTEN, UNLOCKS };

enum written { IS_WRITTEN, IS_CLEAN, IS_HELD, HAS_FAILED };

static void end_write(struct thread *thread, const struct part *copy)
{
	begin_again(thread, ENDS_WRITE);
	for (unsigned i = 0; i < PARTS && thread->fails != DISK_FAILS; i++) {
		schedule_note(copy[i].plain);
		schedule_note(copy[i].fixed);
	}
	/* Nobody reads it while the page is WRITING. */
	(void)get(&plain.file[0].plain);
	for (unsigned i = 0; i < PARTS && thread->fails != DISK_FAILS; i++)
		plain.file[i] = copy[i];
	begin_again(thread, HAS_WRITTEN);
	vmsi_word_end_writing(&plain.word,
			      thread->fails == DISK_FAILS && fault != FAILS_CLEAN);
}

/* As copy_page and end_page of write.c. */
static enum written write_locked(struct thread *thread)
{
	struct part copy[PARTS];
	uint64_t seen;

	switch (vmsi_word_hold_dirty(&plain.word, &seen)) {
	case VMSI_WORD_HELD:
		return IS_HELD;
	case VMSI_WORD_ABSENT:
		return IS_CLEAN;
	case VMSI_WORD_GOT:
		break;
	}
	switch (vmsi_copy_begin(&plain_pool, PAGE, seen, (char *)copy)) {
	case 0:
		break;
	case -EBUSY:
		return IS_HELD;
	default:
		return HAS_FAILED;
	}
	for (unsigned i = 0; i < PARTS; i++)
		if (copy[i].fixed != plain.changed)
			schedule_fail("a copy is not of one state");
	vmsi_copy_end(&plain_pool, PAGE);
	end_write(thread, copy);
	return thread->fails == DISK_FAILS ? HAS_FAILED : IS_WRITTEN;
}

static enum written write_once(struct thread *thread)
{
	enum written written;

	take_lock(&plain.write_lock);
	written = write_locked(thread);
	begin_again(thread, UNLOCKS);
	schedule_note(written);
	release_lock(&plain.write_lock);
	return written;
}

void write_back(struct thread *thread)
{
	(void)write_once(thread);
}

/* As flush.c: a page that is there is held. Returns whether it is. */
static bool hold_if_there(struct thread *thread)
{
	enum vmsi_word_answer answer;
	uint64_t seen;

	do {
		begin_again(thread, 1);
		(void)vmsi_word_wait_for_turn(&plain.word);
		answer = vmsi_word_try(&plain.word, VMSI_READ, &seen);
		if (answer == VMSI_WORD_HELD)
			vmsi_word_wait(&plain.word, seen);
	} while (answer == VMSI_WORD_HELD);
	return answer == VMSI_WORD_GOT;
}

static enum written write_held(struct thread *thread)
{
	enum written written = IS_HELD;

	while (written == IS_HELD) {
		begin_again(thread, 1);
		if (!hold_if_there(thread))
			return IS_CLEAN;
		written = write_once(thread);
		(void)vmsi_word_unlock(&plain.word, VERSION_SHIFT);
		try_again(thread);
	}
	return written;
}

static bool is_wanted(void)
{
	const uint64_t word = vmsi_word_load(&plain.word);

	return vmsi_word_is_coming_dirty(word) ||
		((word & VMSI_WORD_RESIDENT) &&
		 (word & (VMSI_WORD_DIRTY | VMSI_WORD_WRITING)));
}

/* What was stored before it begins is in the file when it has ended well. */
void flush(struct thread *thread)
{
	const uint64_t stored[PARTS] = { plain.stored[0], plain.stored[1] };
	const uint64_t changed = plain.changed;
	enum written written = IS_CLEAN;

	thread->noted = stored[0] << 32 | stored[1] << 16 | changed;
	schedule_note(thread->noted);
	if (is_wanted())
		written = write_once(thread);
	if (written == IS_HELD)
		written = write_held(thread);
	take_lock(&plain.write_lock);
	release_lock(&plain.write_lock);
	for (unsigned i = 0; i < PARTS && written != HAS_FAILED; i++)
		if (plain.file[i].plain < stored[i] || plain.file[i].fixed < changed)
			schedule_fail("a flush has ended, and a store before it is not in "
				      "the file");
}

/* --- a run ------------------------------------------------------------------------------------------ */

void plain_reset(void)
{
	plain_pool.flags = VMS_POOL_TRANSPARENT | VMS_POOL_ADDRESSED;
	plain_pool.page_size = sizeof(plain.parts);
	plain_pool.limit = VMSI_SLOTS_LEAST;
	plain_pool.reach_most = 1;
	plain_pool.view.words = &plain.word;
	plain_pool.view.memory = (char *)plain.parts;
	plain_pool.view.pages = 1;
	plain_pool.view.page_mask = UINT64_MAX;
	plain_pool.view.page_shift = (unsigned)__builtin_ctzll(sizeof(plain.parts));
	plain_pool.view.version_shift = VERSION_SHIFT;
	if (plain_start == ABSENT)
		return;
	plain.word = VMSI_WORD_RESIDENT;
	if (plain_start == WRITABLE)
		plain.word |= VMSI_WORD_DIRTY | VMSI_WORD_WRITABLE;
	for (unsigned i = 0; i < PARTS; i++) {
		plain.parts[i].is_there = 1;
		plain.parts[i].is_protected = plain_start == PROTECTED;
	}
}

static bool check_part(unsigned place, bool is_resident, bool is_dirty)
{
	const struct part *part = &plain.parts[place], *file = &plain.file[place];

	if (is_resident && !part->is_there)
		return wrong("a page is there, and not its memory");
	if (is_resident && (part->plain != plain.stored[place] ||
			    part->fixed != plain.changed))
		return wrong("a store is lost");
	if (part->is_there && !is_dirty && !part->is_protected)
		return wrong("a page is not dirty, and not protected");
	if (!(is_resident && is_dirty) &&
	    (file->plain != plain.stored[place] || file->fixed != plain.changed))
		return wrong("a store is not in the file, and the page not dirty");
	return true;
}

bool plain_check(void)
{
	const uint64_t word = plain.word;
	const bool is_resident = word & VMSI_WORD_RESIDENT;

	if (vmsi_word_lock(word) != 0 || word & (VMSI_WORD_WRITING | VMSI_WORD_TURNING))
		return wrong("a lock is left");
	if (word & VMSI_WORD_WRITABLE && !(word & VMSI_WORD_DIRTY))
		return wrong("a page is writable, and not dirty");
	for (unsigned i = 0; i < PARTS; i++)
		if (!check_part(i, is_resident, word & VMSI_WORD_DIRTY))
			return false;
	return true;
}
