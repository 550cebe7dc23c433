/* SPDX-License-Identifier: MIT */
#include "real_disk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <vmspace/file.h>

#include "host/host.h"
#include "recorder.h"

/* --- files of a disk ----------------------------------------------------------------------- */

static void must(bool right, const char *what)
{
	if (right)
		return;
	perror(what);
	abort();
}

static void write_pages(int fd, const struct memory_file *file)
{
	const size_t page = vmsi_page_size();

	for (size_t i = 0; i < file->page_count; i++)
		if (file->pages[i])
			must(pwrite(fd, file->pages[i], page,
				    (off_t)(i * page)) == (ssize_t)page,
			     "write a page");
}

static void write_file(const char *path, const struct memory_file *file)
{
	const int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	must(fd >= 0, path);
	write_pages(fd, file);
	must(ftruncate(fd, (off_t)file->size) == 0, "set a size");
	if (file->attribute_length)
		must(fsetxattr(fd, "user.vmspace", file->attribute,
			       file->attribute_length, 0) == 0,
		     "set an attribute");
	must(close(fd) == 0, "close");
}

static void remove_files(const struct workload_files *files)
{
	(void)unlink(files->home_path);
	(void)unlink(files->journal_path);
}

static void write_files(const struct memory_disk *disk,
			const struct workload_files *files)
{
	remove_files(files);
	write_file(files->home_path, &disk->files[MEMORY_HOME]);
	if (disk->journal >= 0)
		write_file(files->journal_path, &disk->files[disk->journal]);
}

/* --- another run of the machine ------------------------------------------------------------- */

static long (*real_open)(const char *path);

/* An identity as random as that of a run, and another one each time that it is read. */
static long open_of_another_run(const char *path)
{
	return real_open(strcmp(path, "/proc/sys/kernel/random/boot_id") == 0 ?
			 "/proc/sys/kernel/random/uuid" : path);
}

/* --- opening ---------------------------------------------------------------------------------- */

static vms_file *open_disk(const struct workload_files *files, unsigned flags)
{
	const struct vms_file_options options = {
		.struct_size = sizeof(options),
		.flags = VMS_FILE_ATOMIC | flags,
		.maximum = (uint64_t)1 << 20,
		.journal = files->journal_path,
	};

	return vms_file_open(files->home_path, &options);
}

static bool is_right(vms_file *file, real_disk_check check)
{
	const uint64_t size = vms_file_size(file);

	return check(vms_file_at(file, 0, size), size);
}

static const char *look(const struct workload_files *files,
			real_disk_check check)
{
	vms_file *file = open_disk(files, VMS_FILE_READ_ONLY);
	struct vms_file_access access;
	const char *wrong = NULL;

	if (!file)
		return "a reader cannot open the file";
	if (vms_file_begin_access(file, &access) != 0)
		wrong = "a reader cannot begin an access";
	else if (!is_right(file, check))
		wrong = "the file that a reader sees is no commit, or an old one";
	else if (vms_file_end_access(&access, NULL) != 0)
		wrong = "a reader lost a part of the file";
	if (vms_file_close(file) != 0 && !wrong)
		wrong = "a reader cannot close the file";
	return wrong;
}

static const char *read_alone(const struct workload_files *files,
			      real_disk_check check)
{
	const char *wrong;
	struct log log;

	recorder_begin(-1, files->home_path, files->journal_path, 1, 2, 1);
	wrong = look(files, check);
	log = recorder_end();
	if (log.count && !wrong)
		wrong = "a reader of the file has written";
	log_free(&log);
	return wrong;
}

static const char *recover(const struct workload_files *files,
			   real_disk_check check)
{
	vms_file *file = open_disk(files, VMS_FILE_TELLS);
	const char *wrong = NULL;

	if (!file)
		return *vms_file_journal_problem() ? vms_file_journal_problem() :
			"the file cannot be opened";
	if (!is_right(file, check))
		wrong = "the file that was opened is no commit, or an old one";
	if (vms_file_close(file) != 0 && !wrong)
		wrong = "the file that was opened cannot be closed";
	return wrong;
}

const char *real_disk_try(const struct memory_disk *disk,
			  const struct workload_files *files,
			  real_disk_check check)
{
	const char *wrong;

	write_files(disk, files);
	real_open = vmsi_host.open;
	vmsi_host.open = open_of_another_run;
	wrong = read_alone(files, check);
	if (!wrong)
		wrong = recover(files, check);
	vmsi_host.open = real_open;
	remove_files(files);
	return wrong;
}
