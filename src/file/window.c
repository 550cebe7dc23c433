/* SPDX-License-Identifier: MIT */
#include "file/window.h"

#include <errno.h>
#include <sys/mman.h>

#include "file/base.h"
#include "file/descriptor.h"
#include "file/view.h"
#include "space/inside.h"

/*
 * Windows. Where a file has a base, a window lies in it and is a record only. Else it
 * has addresses in the file's space, which show whole pages of the file:
 *
 *   shown              offset            offset + length          shown + room
 *    |   part of a page | the window      |  up to a page more or so |
 *
 * room is the same wherever the window slides to, so it has a page more than the
 * length takes. It does not reach past the maximum: near that, more lies before the
 * window and less behind.
 */
struct vms_window {
	vms_file *file;
	char *data;
	uint64_t offset;
	size_t length;
	/* Where the window has addresses of its own; else NULL and 0. */
	char *start;
	size_t room;
	uint64_t shown;        /* the file's offset at start */
	struct vmsi_view *view;
};

/* --- records -------------------------------------------------------------------------- */

void vmsi_windows_init(struct vms_file *file)
{
	vmsi_pool_init(&file->window_records, sizeof(struct vms_window),
		       (struct vmsi_pool_source){ vmsi_records_get,
						  vmsi_records_put, NULL });
}

static struct vms_window *take_record(struct vms_file *file)
{
	struct vms_window *window = NULL;

	vmsi_lock_acquire(&file->lock);
	if (vmsi_pool_reserve(&file->window_records, 1) == 0) {
		window = vmsi_pool_take(&file->window_records);
		file->windows++;
	}
	vmsi_lock_release(&file->lock);
	return window;
}

static void give_record(struct vms_window *window)
{
	struct vms_file *file = window->file;

	vmsi_lock_acquire(&file->lock);
	vmsi_pool_give(&file->window_records, window);
	file->windows--;
	vmsi_lock_release(&file->lock);
}

/* --- where a window lies --------------------------------------------------------------- */

static int check_place(const struct vms_file *file, uint64_t offset, size_t length)
{
	if (length == 0)
		return -EINVAL;
	return length <= file->maximum && offset <= file->maximum - length ?
		0 : -EFBIG;
}

/* The room for a length that is at most the maximum, wherever the window begins. */
static size_t room_for(const struct vms_file *file, size_t length)
{
	return vmsi_min(vmsi_page_end(length) + vmsi_page_size(), file->maximum);
}

/* The offset of the page that is shown first. */
static uint64_t shown_for(const struct vms_window *window, uint64_t offset)
{
	return vmsi_min(vmsi_align_down(offset, vmsi_page_size()),
			window->file->maximum - window->room);
}

static void point_at(struct vms_window *window, uint64_t offset)
{
	window->offset = offset;
	window->data = window->room ?
		window->start + (offset - window->shown) :
		window->file->base + offset;
}

static struct vmsi_range range_of(const struct vms_window *window)
{
	const uintptr_t start = (uintptr_t)window->start;

	return (struct vmsi_range){ start, start + window->room };
}

/* --- views ----------------------------------------------------------------------------- */

static void show_view(struct vms_window *window)
{
	struct vms_file *file = window->file;

	vmsi_lock_acquire(&file->lock);
	window->view = vmsi_view_add(file, range_of(window), window->shown);
	vmsi_lock_release(&file->lock);
}

static void hide_view(struct vms_window *window)
{
	struct vms_file *file = window->file;

	vmsi_lock_acquire(&file->lock);
	vmsi_view_remove(window->view);
	vmsi_lock_release(&file->lock);
}

/* --- opening and closing ---------------------------------------------------------------- */

static int map_window(struct vms_window *window)
{
	void *start = vms_mmap(window->file->space, NULL, window->room,
			       vmsi_base_protection(window->file), MAP_SHARED,
			       window->file->fd, (off_t)window->shown);

	if (start == MAP_FAILED)
		return -errno;
	window->start = start;
	show_view(window);
	if (window->view)
		return 0;
	(void)vmsi_base_give(window->file, range_of(window));
	return vmsi_refuse(VMS_REFUSAL_RECORDS);
}

static int place(struct vms_window *window, uint64_t offset)
{
	const struct vms_file *file = window->file;
	int error = 0;

	if (!file->base)
		error = vmsi_descriptor_look(file, NULL);
	if (!file->base && !error) {
		window->room = room_for(file, window->length);
		window->shown = shown_for(window, offset);
		error = map_window(window);
	}
	if (!error)
		point_at(window, offset);
	return error;
}

static int open_window(vms_file *file, uint64_t offset, size_t length,
		       struct vms_window **opened)
{
	struct vms_window *window;
	int error = file ? check_place(file, offset, length) : -EINVAL;

	if (error)
		return error;
	window = take_record(file);
	if (!window)
		return vmsi_refuse(VMS_REFUSAL_RECORDS);
	*window = (struct vms_window){ .file = file, .length = length };
	error = place(window, offset);
	if (error)
		give_record(window);
	else
		*opened = window;
	return error;
}

vms_window *vms_file_open_window(vms_file *file, uint64_t offset, size_t length)
{
	struct vms_window *window = NULL;

	(void)vmsi_status(open_window(file, offset, length, &window));
	return window;
}

/*
 * The view goes first, since afterwards the addresses may be another window's. Where
 * they cannot be unmapped, the window is as it was; without a view, if there is no memory
 * for one any more: no access guards it then.
 */
static int unmap_window(struct vms_window *window)
{
	int error;

	if (!window->room)
		return 0;
	if (window->view)
		hide_view(window);
	error = vmsi_base_give(window->file, range_of(window));
	if (error)
		show_view(window);
	return error;
}

int vms_window_close(vms_window *window)
{
	int error = window ? unmap_window(window) : 0;

	if (!error && window)
		give_record(window);
	return vmsi_status(error);
}

/* --- sliding --------------------------------------------------------------------------- */

static int show(struct vms_window *window, uint64_t shown)
{
	struct vms_file *file = window->file;
	long address = vmsi_mmap(file->space, (uintptr_t)window->start,
				window->room, vmsi_base_protection(file),
				MAP_SHARED | MAP_FIXED, file->fd, shown);

	return address < 0 ? (int)address : 0;
}

/*
 * Before Linux 6.12 a mapping that fails may have destroyed what was there: then it
 * is mapped as before.
 */
static void show_as_before(struct vms_window *window)
{
	if (!vmsi_is_mapped(window->file->space, range_of(window)))
		(void)show(window, window->shown);
}

/*
 * No thread touches a window while it slides, but the mending of lost pages maps pages
 * in all views: the file's lock keeps it from one whose mapping has slid and whose
 * offset has not.
 */
static int slide_mapping(struct vms_window *window, uint64_t shown)
{
	int error;

	vmsi_lock_acquire(&window->file->lock);
	error = show(window, shown);
	if (error) {
		show_as_before(window);
	} else {
		if (window->view)
			vmsi_view_move(window->view, shown);
		window->shown = shown;
	}
	vmsi_lock_release(&window->file->lock);
	return error;
}

static int slide(struct vms_window *window, uint64_t offset)
{
	struct vmsi_attempts attempts = { 0 };
	uint64_t shown;
	int error = check_place(window->file, offset, window->length);

	if (error)
		return error;
	shown = window->room ? shown_for(window, offset) : 0;
	if (window->room && shown != window->shown)
		error = vmsi_descriptor_look(window->file, NULL);
	if (!error && window->room && shown != window->shown)
		do
			error = slide_mapping(window, shown);
		while (vmsi_try_again(window->file->space, error, &attempts));
	if (!error)
		point_at(window, offset);
	return error;
}

int vms_window_slide(vms_window *window, uint64_t offset)
{
	return vmsi_status(window ? slide(window, offset) : -EINVAL);
}

/* --- figures --------------------------------------------------------------------------- */

void *vms_window_data(const vms_window *window)
{
	return window->data;
}

uint64_t vms_window_offset(const vms_window *window)
{
	return window->offset;
}

size_t vms_window_length(const vms_window *window)
{
	return window->length;
}
