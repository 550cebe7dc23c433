/* SPDX-License-Identifier: MIT */
#include "file/replace.h"

#include <errno.h>
#include <linux/membarrier.h>
#include <sys/mman.h>

#include "file/accesses.h"
#include "file/base.h"
#include "file/descriptor.h"
#include "file/file.h"
#include "host/host.h"

/* What is lost, in bytes of the file; whole pages. */
struct loss {
	struct vmsi_range offsets;
	int error;         /* ENXIO: past the end of the file; else EIO */
};

void vmsi_replace_prepare(void)
{
	(void)vmsi_host.membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED);
}

/*
 * Whether all of base, up to a size that was read before this, is pages of the file.
 * Of an atomic file, and of a private one that the program has resized, what lies past
 * the end of the file can be memory that is nowhere else.
 */
static bool shows_only_file(const struct vms_file *file)
{
	return !vmsi_file_has(file, VMS_FILE_ATOMIC) &&
		!atomic_load(&file->sized);
}

/*
 * What is past the end of the file and within what the program knows of it, so that
 * a large part that was cut off takes one signal. It cannot be touched anyway: the
 * kernel takes private pages, too, out of what it cuts off.
 */
static struct vmsi_range cut_off(const struct vms_file *file, uint64_t size)
{
	const uint64_t page = vmsi_page_size();
	const uint64_t known = atomic_load(&file->size);

	if (!shows_only_file(file))
		return (struct vmsi_range){ 0, 0 };
	return (struct vmsi_range){ vmsi_align_up(size, page),
				    vmsi_align_up(known, page) };
}

static struct loss find_loss(const struct vms_file *file, uint64_t offset,
			     int code)
{
	const uint64_t page = vmsi_page_size();
	struct loss loss = { { offset, offset + page }, EIO };
	struct vmsi_range cut;
	uint64_t size;

	if (code == BUS_MCEERR_AR || vmsi_descriptor_look(file, &size) != 0 ||
	    offset < vmsi_align_up(size, page))
		return loss;
	loss.error = ENXIO;
	cut = cut_off(file, size);
	if (offset >= cut.start && offset < cut.end)
		loss.offsets = cut;
	return loss;
}

/*
 * After this, no thread that has read the count of losses before is still about to
 * make a store that comes before in its program. So none is taken by the zeros and
 * missed by the end of the access.
 */
static void order_all_threads(void)
{
	(void)vmsi_host.membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

static bool map_zeros(const struct vms_file *file, struct vmsi_range range)
{
	return vmsi_host.mmap(range.start, vmsi_range_length(range),
			      vmsi_base_protection(file),
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
				      MAP_FIXED, -1, 0) >= 0;
}

static struct vmsi_range offsets_of(const struct vmsi_shown *shown)
{
	return (struct vmsi_range){
		shown->offset, shown->offset + vmsi_range_length(shown->range)
	};
}

/* Only what the view shows is noted: the rest of the file may be seen by another one. */
static bool put_zeros(const struct vmsi_shown *shown, struct loss loss, bool inside)
{
	const uint64_t page = vmsi_page_size();
	const struct vmsi_range part = vmsi_range_common(offsets_of(shown),
							 loss.offsets);
	const struct vmsi_lost_run run = { part.start / page, part.end / page };
	const uintptr_t start = shown->range.start + (part.start - shown->offset);

	if (!vmsi_losses_note(&shown->file->losses, run, loss.error, !inside))
		return false;
	order_all_threads();
	return map_zeros(shown->file, (struct vmsi_range){
		start, start + vmsi_range_length(part) });
}

/*
 * A part of a mapping cannot be replaced where the process has all the mappings that it
 * may have, but the whole can. What it shows is in the file, too.
 */
static bool may_replace_all(const struct vms_file *file)
{
	return shows_only_file(file) && !vmsi_file_has(file, VMS_FILE_PRIVATE);
}

/* Where there is no memory for all that is lost, there may be some for the page. */
bool vmsi_replace(const struct vmsi_shown *shown, const siginfo_t *info,
		  bool inside)
{
	const uintptr_t address = vmsi_align_down((uintptr_t)info->si_addr,
						  vmsi_page_size());
	const uint64_t offset = shown->offset + (address - shown->range.start);
	const struct vmsi_range page = { offset, offset + vmsi_page_size() };
	const struct loss loss = find_loss(shown->file, offset, info->si_code);

	if (inside)
		vmsi_accesses_tell(shown->file, offset, loss.error);
	return put_zeros(shown, loss, inside) ||
		put_zeros(shown, (struct loss){ page, loss.error }, inside) ||
		(may_replace_all(shown->file) &&
		 put_zeros(shown, (struct loss){ offsets_of(shown), loss.error },
			   inside));
}
