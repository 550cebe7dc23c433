/* SPDX-License-Identifier: MIT */
#include "group/serve/program_files.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "group/process/maps.h"

#define KEPT_MOST 8

/*
 * The lock is held for a moment only: a thread that reads files has taken them out
 * of the list, for it may hang for ever (see backtrace.c).
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct vmsi_program_files *kept[KEPT_MOST]; /* the last one used first */

static void close_files(struct vmsi_program_files *files)
{
	if (!files)
		return;
	dwfl_end(files->dwfl);
	free(files->mapped);
	free(files);
}

/* --- what is mapped ------------------------------------------------------- */

/*
 * A file that was cut off or overwritten must be opened anew: reading the pages
 * that it no longer has would end this process by SIGBUS.
 */
static void write_file(FILE *text, const char *path)
{
	struct stat file;

	if (stat(path, &file) == 0)
		fprintf(text, " %lld %lld.%09ld", (long long)file.st_size,
			(long long)file.st_mtim.tv_sec, file.st_mtim.tv_nsec);
}

/*
 * The lines of /proc/PID/maps that are code of a file; other mappings come and go,
 * and have no functions. NULL: they are not told.
 */
static char *read_mapped(pid_t process)
{
	char *all = NULL;
	size_t length;
	FILE *text = open_memstream(&all, &length);
	struct vmsi_maps_line mapping;
	struct vmsi_maps maps;

	bool is_told;

	if (!text)
		return NULL;
	is_told = vmsi_maps_open(&maps, process);
	if (is_told) {
		while (vmsi_maps_next(&maps, &mapping)) {
			if (!mapping.is_executable || mapping.inode == 0)
				continue;
			fputs(maps.line, text);
			write_file(text, mapping.label.at);
			fputc('\n', text);
		}
		vmsi_maps_close(&maps);
	}
	if (fclose(text) == 0 && is_told)
		return all;
	free(all);
	return NULL;
}

/* --- the files ------------------------------------------------------------ */

static Dwfl *open_dwfl(pid_t process)
{
	static char *no_path;
	static const Dwfl_Callbacks callbacks = {
		.find_elf = dwfl_linux_proc_find_elf,
		/* Other ways open files that a program names, or the network. */
		.find_debuginfo = dwfl_build_id_find_debuginfo,
		.debuginfo_path = &no_path,
	};
	Dwfl *dwfl = dwfl_begin(&callbacks);

	if (dwfl && dwfl_linux_proc_report(dwfl, process) == 0 &&
	    dwfl_report_end(dwfl, NULL, NULL) == 0)
		return dwfl;
	dwfl_end(dwfl);
	return NULL;
}

/* The result owns mapped; where it fails mapped is freed. */
static struct vmsi_program_files *
open_files(pid_t process, char *mapped, const Dwfl_Thread_Callbacks *callbacks)
{
	struct vmsi_program_files *files = calloc(1, sizeof *files);

	if (!files) {
		free(mapped);
		return NULL;
	}
	files->mapped = mapped;
	files->dwfl = open_dwfl(process);
	if (files->dwfl &&
	    dwfl_attach_state(files->dwfl, NULL, process, callbacks, files))
		return files;
	close_files(files);
	return NULL;
}

/* With the lock: the files in a place of the list leave it. */
static struct vmsi_program_files *take_out(size_t at)
{
	struct vmsi_program_files *files = kept[at];

	for (; at < KEPT_MOST - 1; at++)
		kept[at] = kept[at + 1];
	kept[KEPT_MOST - 1] = NULL;
	return files;
}

/* The kept files of what is mapped, which leave the list; NULL: there are none. */
static struct vmsi_program_files *take_kept(const char *mapped)
{
	struct vmsi_program_files *files = NULL;

	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < KEPT_MOST && kept[i] && !files; i++) {
		if (strcmp(kept[i]->mapped, mapped) != 0)
			continue;
		files = take_out(i);
	}
	pthread_mutex_unlock(&lock);
	return files;
}

struct vmsi_program_files *
vmsi_program_files_take(struct vmsi_unwinding *unwinding,
			const Dwfl_Thread_Callbacks *callbacks)
{
	char *mapped = read_mapped(unwinding->process);
	struct vmsi_program_files *files = mapped ? take_kept(mapped) : NULL;

	if (files)
		free(mapped);
	else if (mapped)
		files = open_files(unwinding->process, mapped, callbacks);
	if (files)
		files->unwinding = unwinding;
	return files;
}

void vmsi_program_files_put(struct vmsi_program_files *files)
{
	struct vmsi_program_files *oldest;

	pthread_mutex_lock(&lock);
	oldest = kept[KEPT_MOST - 1];
	for (size_t i = KEPT_MOST - 1; i > 0; i--)
		kept[i] = kept[i - 1];
	kept[0] = files;
	pthread_mutex_unlock(&lock);
	close_files(oldest);
}

void vmsi_program_files_close(void)
{
	for (;;) {
		struct vmsi_program_files *files;

		pthread_mutex_lock(&lock);
		files = take_out(0);
		pthread_mutex_unlock(&lock);
		if (!files)
			return;
		close_files(files);
	}
}
