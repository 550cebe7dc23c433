/* SPDX-License-Identifier: MIT */
#include "file/base.h"

#include <errno.h>
#include <sys/mman.h>

#include "file/view.h"
#include "space/inside.h"

/* The space of a file, and how the file is mapped there. */

#define LEAST_DEFAULT_MAXIMUM ((uint64_t)64 << 30)
#define DEFAULT_TIMES_SIZE 4

/* No file is longer, and no offset beyond can be mapped. */
#define LARGEST_MAXIMUM vmsi_align_down((uint64_t)INT64_MAX, vmsi_page_size())

/* --- the maximum -------------------------------------------------------------------- */

/* What a file is given that has no maximum: see vms_file_options. */
static uint64_t default_maximum(uint64_t size)
{
	uint64_t most;

	if (__builtin_mul_overflow(size, DEFAULT_TIMES_SIZE, &most))
		most = LARGEST_MAXIMUM;
	most = vmsi_align_down(most, vmsi_page_size());
	return vmsi_min(vmsi_max(most, LEAST_DEFAULT_MAXIMUM), LARGEST_MAXIMUM);
}

/* The least that a maximum may be: a page, and all of the file. */
static uint64_t least_maximum(uint64_t size)
{
	return vmsi_max(vmsi_page_end(size), vmsi_page_size());
}

static int given_maximum(uint64_t asked, uint64_t size, uint64_t *maximum)
{
	*maximum = vmsi_align_up(vmsi_min(asked, LARGEST_MAXIMUM),
				 vmsi_page_size());
	return size > *maximum ? -EFBIG : 0;
}

/* --- the space ---------------------------------------------------------------------- */

static int open_space(struct vms_file *file, size_t bytes,
		      const struct vms_file_options *asked)
{
	const struct vms_space_options options = {
		.struct_size = sizeof(options),
		.name = "file",
		/* What may be committed is the host's to say, and the budget's. */
		.commit_policy = VMS_COMMIT_ALWAYS,
		/* A file in memory is its own, and not of whoever maps it. */
		.flags = VMS_SPACE_FILES_UNCHARGED,
		.budget = asked->budget,
	};

	file->space = vms_space_open(bytes, &options);
	return file->space ? 0 : -errno;
}

static void close_space(struct vms_file *file)
{
	if (file->space)
		(void)vms_space_close(file->space);
	file->space = NULL;
}

/* Addresses for a maximum, and the marks of its lost pages. */
static int reserve(struct vms_file *file, uint64_t maximum,
		   const struct vms_file_options *options)
{
	const size_t bytes = options->window_addresses ?
		options->window_addresses : maximum;
	int error = open_space(file, bytes, options);

	if (error)
		return error;
	error = vmsi_losses_open(&file->losses, maximum,
				 options->window_addresses ?
				 VMSI_LOSSES_ROUGHLY : VMSI_LOSSES_EXACTLY);
	if (error)
		close_space(file);
	else
		file->maximum = maximum;
	return error;
}

/* Half as much each time, down to what the file needs. */
static int reserve_default(struct vms_file *file, uint64_t size,
			   const struct vms_file_options *options)
{
	const uint64_t least = least_maximum(size);
	uint64_t maximum = vmsi_max(default_maximum(size), least);
	int error = reserve(file, maximum, options);

	while (error == -ENOMEM && maximum > least) {
		maximum = vmsi_max(vmsi_align_down(maximum / 2,
						   vmsi_page_size()), least);
		error = reserve(file, maximum, options);
	}
	return error;
}

static int reserve_given(struct vms_file *file, uint64_t size,
			 const struct vms_file_options *options)
{
	uint64_t maximum = 0;
	int error = given_maximum(options->maximum, size, &maximum);

	return error ? error : reserve(file, maximum, options);
}

/* --- the mapping -------------------------------------------------------------------- */

static int map(struct vms_file *file, uint64_t start, uint64_t end, int flags)
{
	const int fd = flags & MAP_ANONYMOUS ? -1 : file->fd;
	const uint64_t offset = flags & MAP_ANONYMOUS ? 0 : start;
	long address = vmsi_mmap(file->space, (uintptr_t)file->base + start,
				end - start, vmsi_base_protection(file),
				flags | MAP_FIXED, fd, offset);

	if (address < 0)
		return (int)address;
	file->mapped = end;
	return 0;
}

int vmsi_base_map(struct vms_file *file, uint64_t end, enum vmsi_base_pages pages)
{
	if (end <= file->mapped)
		return 0;
	return map(file, file->mapped, end, pages == VMSI_BASE_ZEROS ?
		   MAP_PRIVATE | MAP_ANONYMOUS : MAP_PRIVATE);
}

/*
 * Before Linux 6.12 a call that fails may have unmapped all the same: that is what
 * was wanted.
 */
int vmsi_base_give(struct vms_file *file, struct vmsi_range range)
{
	const int earlier = errno;
	int error;

	if (vms_munmap(file->space, (void *)range.start,
		       vmsi_range_length(range)) == 0)
		return 0;
	error = -errno;
	errno = earlier;
	return vmsi_is_mapped(file->space, range) ? error : 0;
}

/* What is mapped there later is not to be taken for a lost part of the file. */
static void forget_losses(struct vms_file *file, uint64_t start, uint64_t end)
{
	const uint64_t page = vmsi_page_size();

	if (vmsi_losses_has(&file->losses, start, end - start))
		vmsi_losses_mark(&file->losses, (struct vmsi_lost_run){
			start / page, end / page }, VMSI_WHOLE);
}

int vmsi_base_unmap(struct vms_file *file, uint64_t end)
{
	const uintptr_t base = (uintptr_t)file->base;
	int error;

	if (end >= file->mapped)
		return 0;
	error = vmsi_base_give(file, (struct vmsi_range){
		base + end, base + file->mapped });
	if (error)
		return error;
	forget_losses(file, end, file->mapped);
	file->mapped = end;
	return 0;
}

static int map_all(struct vms_file *file)
{
	struct vmsi_attempts attempts = { 0 };
	int error;

	do
		error = vmsi_base_is_private(file) ?
			vmsi_base_map(file, vmsi_page_end(file->size),
				      VMSI_BASE_FILE) :
			map(file, 0, file->maximum, MAP_SHARED);
	while (vmsi_try_again(file->space, error, &attempts));
	return error;
}

static int map_and_show(struct vms_file *file)
{
	struct vmsi_range range;
	int error;

	file->base = vms_space_base(file->space);
	range.start = (uintptr_t)file->base;
	range.end = range.start + file->maximum;
	error = map_all(file);
	if (error)
		return error;
	file->view = vmsi_view_add(file, range, 0);
	return file->view ? 0 : vmsi_refuse(VMS_REFUSAL_RECORDS);
}

int vmsi_base_open(struct vms_file *file, const struct vms_file_options *options)
{
	int error = options->maximum ? reserve_given(file, file->size, options) :
				       reserve_default(file, file->size, options);

	if (!error && !options->window_addresses)
		error = map_and_show(file);
	if (error)
		vmsi_base_close(file);
	return error;
}

void vmsi_base_close(struct vms_file *file)
{
	if (file->view)
		vmsi_view_remove(file->view);
	file->view = NULL;
	if (!file->space)
		return;
	close_space(file);
	vmsi_losses_close(&file->losses);
}
