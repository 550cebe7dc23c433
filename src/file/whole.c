/* SPDX-License-Identifier: MIT */
#include "file/whole.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include "file/atomic_state.h"
#include "file/file.h"
#include "host/disk.h"
#include "host/host.h"

/* --- the canary ----------------------------------------------------------------------- */

/* Accesses are told, too, and a refresh mends it. No page shows zeros for it. */
static void die(struct vms_file *file)
{
	struct vmsi_canary *canary = &file->atomic->canary;

	(void)vmsi_losses_note(&file->losses, (struct vmsi_lost_run){
		canary->page, canary->page }, ENXIO, false);
	canary->loss = atomic_load(&file->losses.count);
	canary->state = VMSI_CANARY_DEAD;
}

/* Where the kernel does not answer, it is taken to be alive. */
static bool is_gone(const struct vms_file *file)
{
	const struct vmsi_atomic *atomic = file->atomic;

	return atomic->canary.state == VMSI_CANARY_ALIVE &&
		vmsi_tracker_is_private(&atomic->tracker,
					atomic->canary.at) == 0;
}

static void look(struct vms_file *file)
{
	if (is_gone(file))
		die(file);
}

/*
 * The kernel makes the page private while it maps it, and does not tell where it cannot:
 * a store might raise SIGBUS.
 */
static void map(struct vms_file *file, uint64_t page)
{
	struct vmsi_canary *canary = &file->atomic->canary;
	const int fixed = canary->at ? MAP_FIXED : 0;
	long at = vmsi_host.mmap(canary->at, vmsi_page_size(),
				 PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_POPULATE | fixed, file->fd,
				 page * vmsi_page_size());
	uint64_t size = UINT64_MAX;

	canary->state = VMSI_CANARY_NONE;
	if (at < 0)
		return;
	canary->at = (uintptr_t)at;
	canary->page = page;
	if (vmsi_tracker_is_private(&file->atomic->tracker, canary->at) > 0)
		canary->state = VMSI_CANARY_ALIVE;
	else if (vmsi_disk_size(file->fd, &size) == 0 &&
		 size <= page * vmsi_page_size())
		die(file);
}

void vmsi_whole_arm(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	struct vmsi_canary *canary = &atomic->canary;
	const uint64_t size = atomic->journal.home_size;
	const uint64_t page = size ? (size - 1) / vmsi_page_size() : 0;

	if (canary->state == VMSI_CANARY_DEAD || !atomic->tracks)
		return;
	if (size == 0 || atomic->journal.home_behind) {
		canary->state = VMSI_CANARY_NONE;
		return;
	}
	if (canary->state == VMSI_CANARY_ALIVE && canary->page == page)
		return;
	/* What this process has cut off itself has taken it. */
	if (canary->page < page)
		look(file);
	if (canary->state != VMSI_CANARY_DEAD)
		map(file, page);
}

void vmsi_whole_arm_again(struct vms_file *file)
{
	file->atomic->canary.state = VMSI_CANARY_NONE;
	vmsi_whole_arm(file);
}

void vmsi_whole_mended(struct vms_file *file)
{
	if (!is_gone(file))
		return;
	file->atomic->canary.state = VMSI_CANARY_DEAD;
	file->atomic->canary.loss = 0;
}

void vmsi_whole_close(struct vms_file *file)
{
	const uintptr_t at = file->atomic->canary.at;

	if (at)
		(void)vmsi_host.munmap(at, vmsi_page_size());
}

static int check_canary(struct vms_file *file)
{
	const struct vmsi_canary *canary = &file->atomic->canary;

	look(file);
	if (canary->state == VMSI_CANARY_DEAD &&
	    atomic_load(&file->losses.mended) >= canary->loss)
		vmsi_whole_arm_again(file);
	return canary->state == VMSI_CANARY_DEAD ? -ENXIO : 0;
}

/* --- lost pages ------------------------------------------------------------------------ */

static bool has_losses(const struct vms_file *file)
{
	return atomic_load(&file->losses.count) !=
		atomic_load(&file->losses.mended);
}

static int why(const struct vms_file *file)
{
	uint64_t offset;

	return -vmsi_losses_first(&file->losses, &offset);
}

/* The next pages of a set that are lost, from a page on. */
static bool next_lost(const struct vms_file *file, struct vmsi_pageset *set,
		      uint64_t from, struct vmsi_page_run *run)
{
	struct vmsi_lost_run lost;

	while (vmsi_pageset_next(set, from, run)) {
		if (!vmsi_losses_next(&file->losses, run->first, &lost))
			return false;
		if (lost.first < run->end) {
			run->first = lost.first;
			run->end = lost.end < run->end ? lost.end : run->end;
			return true;
		}
		from = lost.first;
	}
	return false;
}

static bool has_bytes(const struct vms_file *file, struct vmsi_page_run run)
{
	const size_t page = vmsi_page_size();
	const char *at = file->base + run.first * page;
	const char *const end = file->base + run.end * page;

	while (at < end && !*at)
		at++;
	return at < end;
}

int vmsi_whole_skip_lost(struct vms_file *file)
{
	struct vmsi_atomic *atomic = file->atomic;
	struct vmsi_page_run run = { 0, 0 };

	/* What was told is to be committed, whatever it shows. */
	if (atomic->tells || !has_losses(file))
		return 0;
	while (next_lost(file, &atomic->written, run.end, &run)) {
		if (has_bytes(file, run))
			return why(file);
		vmsi_pageset_remove(&atomic->written, run);
	}
	return 0;
}

/* A page is noted as lost before it shows zeros: a copy of zeros is of a page that is. */
int vmsi_whole_check(struct vms_file *file, struct vmsi_pageset *copied)
{
	struct vmsi_page_run run;
	int error = check_canary(file);

	if (error || !has_losses(file))
		return error;
	return next_lost(file, copied, 0, &run) ? why(file) : 0;
}
