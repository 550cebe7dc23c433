/* SPDX-License-Identifier: MIT */
/*
 * Writes a recording whose figures are known, as another machine would.
 *
 * usage: make-recording FILE [build | unread | EVENTS]
 * With EVENTS it has so many, of mappings that come, grow and go.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/recording/write.h"

#define PAGE UINT64_C(16384)
#define MIB UINT64_C(1048576)
#define SECOND UINT64_C(1000000)

static struct vmsi_recorder recorder;

static void tell(uint32_t process, uint32_t owner, uintptr_t start, uint64_t size,
		 uint64_t anonymous)
{
	vmsi_recorder_event(&recorder, &(struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_MAPPING, .process = process, .owner = owner,
		.stack = VMSI_NOBODY, .prot = PROT_READ | PROT_WRITE,
		.has_pages = true, .start = start, .end = start + size,
		.commit = size, .anonymous = anonymous, .file = PAGE,
	});
}

static void untell(uint32_t process, uintptr_t start, uint64_t size)
{
	vmsi_recorder_event(&recorder, &(struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_UNMAPPED, .process = process,
		.owner = VMSI_NOBODY, .stack = VMSI_NOBODY,
		.start = start, .end = start + size,
	});
}

static void refuse(uint32_t process, uint32_t stack, int error)
{
	vmsi_recorder_event(&recorder, &(struct vmsi_recorded_event){
		.time = recorder.time, .kind = VMSI_RECORDED_CALL,
		.process = process, .stack = stack, .call = "mmap",
		.error = error, .size = 64 * MIB,
		.commit = error ? 0 : 64 * MIB, .count = 1,
	});
}

/* Some in the last half of a second, of which parts were charged before. */
static void grant_some(uint32_t process, uint32_t stack)
{
	vmsi_recorder_event(&recorder, &(struct vmsi_recorded_event){
		.time = recorder.time, .first = recorder.time - SECOND / 2,
		.kind = VMSI_RECORDED_CALL, .process = process, .stack = stack,
		.call = "brk", .size = 16 * MIB, .commit = 12 * MIB, .count = 300,
	});
}

static void write_machine(uint64_t commit)
{
	vmsi_recorder_event(&recorder, &(struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_MACHINE, .size = 8192 * MIB,
		.commit = commit, .file = 4096 * MIB,
	});
	vmsi_recorder_event(&recorder, &(struct vmsi_recorded_event){
		.kind = VMSI_RECORDED_LIMIT, .size = 256 * MIB, .commit = 90 * MIB,
	});
}

/* A program and its child, which ends by a signal, with what it had. */
static void write_small(void)
{
	const int killed = 9, exited = 3 << 8;
	uint32_t stack;

	write_machine(1000 * MIB);
	vmsi_recorder_process(&recorder, 100, VMSI_NOBODY, "grow\033[2J");
	vmsi_recorder_owner(&recorder, 0, VMSI_OWNER_HEAP, "[heap]");
	vmsi_recorder_owner(&recorder, 0, VMSI_OWNER_FILE,
			    "/opt/a directory with a long name/\"lib\", \342\202\254\n.so");
	tell(0, 0, 16 * MIB, 8 * MIB, 2 * MIB);
	tell(0, 1, 64 * MIB, 2 * MIB, MIB);
	vmsi_recorder_time(&recorder, SECOND);
	vmsi_recorder_process(&recorder, 101, 0, "child");
	vmsi_recorder_owner(&recorder, 1, VMSI_OWNER_ANONYMOUS, "[anon]");
	tell(1, 2, 128 * MIB, 32 * MIB, 24 * MIB);
	vmsi_recorder_time(&recorder, 2 * SECOND);
	tell(0, 0, 16 * MIB, 80 * MIB / 2, 40 * MIB);
	stack = vmsi_recorder_stack(&recorder, "mmap (libc.so.6)\n"
				    "read_all\033[31m (grow) at grow.c:17\nmain\n");
	refuse(1, stack, ENOMEM);
	refuse(1, stack, ENOMEM);
	refuse(0, VMSI_NOBODY, ENOMEM);
	refuse(0, stack, 0);
	grant_some(1, VMSI_NOBODY);
	vmsi_recorder_time(&recorder, 3 * SECOND);
	untell(1, 128 * MIB, 32 * MIB);
	vmsi_recorder_ended(&recorder, 1, &killed);
	tell(0, 0, 16 * MIB, 80 * MIB / 2, 30 * MIB);
	write_machine(1010 * MIB);
	vmsi_recorder_time(&recorder, 4 * SECOND);
	untell(0, 16 * MIB, 50 * MIB);
	vmsi_recorder_ended(&recorder, 0, &exited);
}

/* Nobody looked at it before it ended. */
static void write_unread(void)
{
	const int exited = 0;

	vmsi_recorder_process(&recorder, 100, VMSI_NOBODY, "true");
	vmsi_recorder_time(&recorder, SECOND / 10);
	vmsi_recorder_ended(&recorder, 0, &exited);
}

static void end_compiler(uint32_t number)
{
	const int exited = 0;

	untell(number, 16 * MIB, 32 * MIB);
	vmsi_recorder_ended(&recorder, number, &exited);
}

#define COMPILERS 12

/* One compiler after the other, each of which begins while the last one still runs. */
static void write_build(void)
{
	vmsi_recorder_process(&recorder, 100, VMSI_NOBODY, "make");
	vmsi_recorder_owner(&recorder, 0, VMSI_OWNER_HEAP, "[heap]");
	tell(0, 0, 16 * MIB, 2 * MIB, MIB);
	for (uint32_t i = 1; i <= COMPILERS; i++) {
		vmsi_recorder_time(&recorder, i * SECOND);
		vmsi_recorder_process(&recorder, 100 + (pid_t)i, 0, "cc1");
		vmsi_recorder_owner(&recorder, i, VMSI_OWNER_ANONYMOUS, "[anon]");
		tell(i, i, 16 * MIB, 32 * MIB, (10 + i) * MIB);
		vmsi_recorder_time(&recorder, i * SECOND + SECOND / 2);
		if (i > 1)
			end_compiler(i - 1);
	}
	vmsi_recorder_time(&recorder, (COMPILERS + 1) * SECOND);
	end_compiler(COMPILERS);
}

#define OWNERS 40
#define MAPPINGS 2000

static void write_large(uint64_t events)
{
	char name[32];

	vmsi_recorder_process(&recorder, 100, VMSI_NOBODY, "large");
	for (int i = 0; i < OWNERS; i++) {
		snprintf(name, sizeof(name), "/lib/lib%d.so", i);
		vmsi_recorder_owner(&recorder, 0, VMSI_OWNER_FILE, name);
	}
	srand(1);
	for (uint64_t i = 0; i < events; i++) {
		const uint32_t place = (uint32_t)rand() % MAPPINGS;
		const uint64_t pages = 1 + (uint64_t)rand() % 16;

		vmsi_recorder_time(&recorder, i * 100);
		if (rand() % 8)
			tell(0, place % OWNERS, (place + 1) * MIB, pages * PAGE,
			     (uint64_t)rand() % pages * PAGE);
		else
			untell(0, (place + 1) * MIB, pages * PAGE);
	}
}

int main(int argc, char **argv)
{
	const struct vmsi_recording head = {
		.program = (char *)"./grow \033[2J --much",
		.machine = (char *)"Linux 6.18 aarch64", .page_size = PAGE,
		.began = UINT64_C(1796000000) * SECOND,
	};
	const int file = argc > 1 ? open(argv[1], O_WRONLY | O_CREAT | O_TRUNC |
					 O_CLOEXEC, 0666) : -1;

	if (file < 0 || vmsi_recorder_open(&recorder, file, &head))
		return 1;
	if (argc < 3)
		write_small();
	else if (strcmp(argv[2], "build") == 0)
		write_build();
	else if (strcmp(argv[2], "unread") == 0)
		write_unread();
	else
		write_large(strtoull(argv[2], NULL, 10));
	return vmsi_recorder_finish(&recorder) != 0;
}
