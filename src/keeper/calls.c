/* SPDX-License-Identifier: MIT */
#include "keeper/calls.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <unistd.h>

#include "keeper/limit.skel.h"

static int call_open(const char *path, int flags)
{
	return open(path, flags);
}

struct vmsi_bpf_calls vmsi_bpf_calls = {
	.statfs = statfs,
	.fstatfs = fstatfs,
	.fstat = fstat,
	.access = access,
	.mkdir = mkdir,
	.open = call_open,
	.flock = flock,
	.rename = rename,
	.opendir = opendir,
	.unlink = unlink,
	.rmdir = rmdir,
	.read = read,
	.open_programs = limit_bpf__open,
	.load_programs = limit_bpf__load,
	.attach_programs = limit_bpf__attach,
	.destroy_programs = limit_bpf__destroy,
	.pin_map = bpf_map__pin,
	.pin_program = bpf_program__pin,
	.pin_link = bpf_link__pin,
	.get = bpf_obj_get,
	.get_info = bpf_obj_get_info_by_fd,
	.lookup = bpf_map_lookup_elem,
	.update = bpf_map_update_elem,
	.remove = bpf_map_delete_elem,
	.create_iterator = bpf_iter_create,
	.test_run = bpf_prog_test_run_opts,
};
