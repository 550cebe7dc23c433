/* SPDX-License-Identifier: MIT */
#include "../../outcome.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/uio.h>

/* syscall(2): the mapping calls through it, and all others left as they are. */

static void mapping_calls(void)
{
	unsigned char vector[8];
	long result = syscall(SYS_mmap, 0L, 8 * page, RW, ANON, -1L, 0L);
	char *memory = (char *)result;

	mapped("mmap", memory);
	memset(memory, 'q', 8 * page);
	outcome("mprotect", syscall(SYS_mprotect, memory, page, PROT_READ));
	writes("read-only", memory);
	outcome("madvise", syscall(SYS_madvise, memory, page, MADV_DONTNEED));
	reads("dontneed", memory);
	mapped("mremap across two mappings",
	       (char *)syscall(SYS_mremap, memory, 8 * page, 64 * page,
			       MREMAP_MAYMOVE, 0L));
	outcome("mprotect back", syscall(SYS_mprotect, memory, page, RW));
	outcome("msync", syscall(SYS_msync, memory, page, MS_ASYNC));
	outcome("mlock", syscall(SYS_mlock, memory, page));
	outcome("mlock2", syscall(SYS_mlock2, memory, page, MLOCK_ONFAULT));
	outcome("munlock", syscall(SYS_munlock, memory, page));
	outcome("mincore", syscall(SYS_mincore, memory, page, vector));
	memory = (char *)syscall(SYS_mremap, memory, 8 * page, 64 * page,
				 MREMAP_MAYMOVE, 0L);
	mapped("mremap", memory);
	reads("moved", memory + 7 * page);
	outcome("munmap part", syscall(SYS_munmap, memory + page, page));
	outcome("hole", syscall(SYS_msync, memory, 8 * page, MS_ASYNC));
	outcome("hole in mincore",
		syscall(SYS_mincore, memory + page, page, vector));
	outcome("seal over a hole", syscall(SYS_mseal, memory, 4 * page, 0L));
	outcome("munmap", syscall(SYS_munmap, memory, 64 * page));
	mapped("mmap bad flags",
	       (void *)syscall(SYS_mmap, 0L, page, RW, 0L, -1L, 0L));
	outcome("pkey_mprotect", syscall(SYS_pkey_mprotect, anonymous(1), page,
					 PROT_READ, -1L));
}

static void file_at_offset(void)
{
	int fd = lettered_file(4);
	char *memory = (char *)syscall(SYS_mmap, 0L, page, PROT_READ,
				       MAP_SHARED, (long)fd, (long)(3 * page));

	reads("sixth argument", memory);
	close(fd);
}

/* Calls with pointers and with six arguments arrive whole. */
static void other_calls(void)
{
	char text[16] = "through";
	struct iovec from = { text, 8 };
	char copy[16] = "";
	struct iovec to = { copy, sizeof(copy) };
	int word = 7, other = 0;
	int pipes[2];

	outcome("process_vm_readv",
		syscall(SYS_process_vm_readv, (long)getpid(), &to, 1L, &from,
			1L, 0L));
	say("copied", "%s", copy);
	outcome("six arguments, last one bad",
		syscall(SYS_process_vm_readv, (long)getpid(), &to, 1L, &from,
			1L, 1L));
	outcome("futex, sixth argument unlike",
		syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1L, 1L,
			&other, 8L));
	outcome("futex, sixth argument like",
		syscall(SYS_futex, &word, FUTEX_CMP_REQUEUE_PRIVATE, 1L, 1L,
			&other, 7L));
	outcome("no such call", syscall(99999L));
	outcome("negative call", syscall(-1L));
	outcome("bad descriptor", syscall(SYS_close, -1L));
	outcome("pipe2", syscall(SYS_pipe2, pipes, (long)O_CLOEXEC));
	outcome("write", syscall(SYS_write, (long)pipes[1], "12345", 5L));
	errno = 42;
	say("same process", "%d", syscall(SYS_getpid) == getpid());
	say("errno after success", "%d", errno);
}

static void raw_clone(void)
{
	char *stack = anonymous(16);
	long child = syscall(SYS_clone, (long)SIGCHLD, 0L, 0L, 0L, 0L);

	if (child == 0) {
		char *memory = mmap(NULL, page, RW, ANON, -1, 0);

		_exit(memory == MAP_FAILED ? 1 : munmap(memory, page) + 2);
	}
	ended("raw fork", (pid_t)child);
	munmap(stack, 16 * page);
}

#if defined(__x86_64__)
/*
 * A child that shares its parent's memory returns from syscall() first. Where
 * it has a stack of its own, the return address is all that it finds there, as
 * with libc's function. It must not use the stack that it shares, so it ends
 * without another call.
 */
static pid_t call_twice_returning(long number, long flags, uint64_t *stack)
{
	long child;

	__asm__ volatile(
		"movq %%rsp, %%rbx\n\t"
		"andq $-16, %%rsp\n\t"
		"subq $128, %%rsp\n\t"
		"xorl %%ecx, %%ecx\n\t"
		"xorl %%r8d, %%r8d\n\t"
		"xorl %%r9d, %%r9d\n\t"
		"testq %%rdx, %%rdx\n\t"
		"jz 3f\n\t"
		"leaq 1f(%%rip), %%rax\n\t"
		"movq %%rax, (%%rdx)\n"
		"3:\n\t"
		"call syscall@PLT\n"
		"1:\n\t"
		"testq %%rax, %%rax\n\t"
		"jnz 2f\n\t"
		"movl $60, %%eax\n\t"
		"movl $9, %%edi\n\t"
		"syscall\n"
		"2:\n\t"
		"movq %%rbx, %%rsp"
		: "=&a"(child), "+D"(number), "+S"(flags), "+d"(stack)
		:
		: "rbx", "rcx", "r8", "r9", "r10", "r11", "memory", "cc");
	return (pid_t)child;
}

static void raw_twice(void)
{
	char *stack = anonymous(16);

	ended("raw clone on a stack",
	      call_twice_returning(SYS_clone, CLONE_VM | CLONE_VFORK | SIGCHLD,
				   (void *)(stack + 15 * page)));
	ended("raw vfork", call_twice_returning(SYS_vfork, 0, NULL));
}
#elif defined(__aarch64__)
static pid_t call_twice_returning(long stack)
{
	register long x0 __asm__("x0") = SYS_clone;
	register long x1 __asm__("x1") = CLONE_VM | CLONE_VFORK | SIGCHLD;
	register long x2 __asm__("x2") = stack;
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = 0;

	__asm__ volatile(
		"bl syscall\n\t"
		"cbnz x0, 2f\n\t"
		"mov x8, #93\n\t"
		"mov x0, #9\n\t"
		"svc #0\n"
		"2:"
		: "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3), "+r"(x4)
		:
		: "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13",
		  "x14", "x15", "x16", "x17", "x18", "x30", "memory", "cc");
	return (pid_t)x0;
}

static void raw_twice(void)
{
	char *stack = anonymous(16);

	ended("raw clone on a stack",
	      call_twice_returning((long)(uintptr_t)(stack + 15 * page)));
	ended("raw vfork", call_twice_returning(0));
}
#endif

/* The kernel takes flags of mremap and mmap and rights as 64 bits. */
static void high_bits(void)
{
	const unsigned long high[] = { 1ul << 32, 1ul << 40, 1ul << 63 };
	char *memory = anonymous(4);
	int fd = lettered_file(1);

	for (size_t i = 0; i < sizeof(high) / sizeof(high[0]); i++) {
		const unsigned long bit = high[i];

		mapped("mremap", (void *)syscall(SYS_mremap, memory, page, page,
						 bit, 0L));
		mapped("mremap that grows",
		       (void *)syscall(SYS_mremap, memory + 3 * page, page,
				       2 * page, bit | MREMAP_MAYMOVE, 0L));
		mapped("mremap to a place",
		       (void *)syscall(SYS_mremap, memory, page, page,
				       bit | MREMAP_MAYMOVE | MREMAP_FIXED,
				       memory + 2 * page));
		outcome("mprotect", syscall(SYS_mprotect, memory, page,
					    bit | PROT_READ));
		outcome("mprotect of nothing", syscall(SYS_mprotect, memory, 0L,
						       bit | PROT_READ));
		outcome("mprotect of what is not mapped",
			syscall(SYS_mprotect, 0L, page, bit | PROT_READ));
		outcome("pkey_mprotect", syscall(SYS_pkey_mprotect, memory, page,
						 bit | PROT_READ, -1L));
		outcome("pkey_mprotect with a key",
			syscall(SYS_pkey_mprotect, memory, page,
				bit | PROT_READ, 0L));
		outcome("madvise", syscall(SYS_madvise, memory, page,
					   bit | MADV_DONTNEED));
		outcome("msync", syscall(SYS_msync, memory, page,
					 bit | MS_ASYNC));
		outcome("mlock2", syscall(SYS_mlock2, memory, page,
					  bit | MLOCK_ONFAULT));
		outcome("munlock", munlock(memory, page));
		outcome("mseal", syscall(SYS_mseal, memory, page, bit));
		mapped("mmap", (void *)syscall(SYS_mmap, 0L, page, PROT_READ,
					       bit | MAP_PRIVATE, (long)fd, 0L));
		mapped("mmap rights", (void *)syscall(SYS_mmap, 0L, page,
						      bit | PROT_READ,
						      MAP_PRIVATE, (long)fd, 0L));
		mapped("mmap validated",
		       (void *)syscall(SYS_mmap, 0L, page, PROT_READ,
				       bit | MAP_SHARED_VALIDATE, (long)fd, 0L));
		mapped("mmap validated without memory",
		       (void *)syscall(SYS_mmap, 0L, page, PROT_READ,
				       bit | MAP_SHARED_VALIDATE | MAP_ANONYMOUS,
				       -1L, 0L));
		mapped("mmap validated of nothing",
		       (void *)syscall(SYS_mmap, 0L, 0L, PROT_READ,
				       bit | MAP_SHARED_VALIDATE, (long)fd, 0L));
		writes("still writable", memory);
	}
	close(fd);
}

/* mincore looks at where the range and the vector end, and then at the range. */
static void ends_of_mincore(void)
{
	const uintptr_t top = ((uintptr_t)1 << 47) - page;
	static unsigned char vector[8];
	char *memory = anonymous(4);
	const struct {
		char *address;
		size_t length;
		uintptr_t vector;
	} calls[] = {
		{ memory, page, 8 },
		{ memory, page, UINTPTR_MAX },
		{ memory, 0, UINTPTR_MAX },
		{ memory, (size_t)1 << 50, 8 },
		{ memory, (size_t)1 << 50, (uintptr_t)vector },
		{ memory, (size_t)1 << 50, UINTPTR_MAX },
		{ memory, SIZE_MAX, (uintptr_t)vector },
		{ memory, SIZE_MAX - page + 1, (uintptr_t)vector },
		{ memory + 1, (size_t)1 << 50, 8 },
		{ memory + 2 * page, page, UINTPTR_MAX },
		{ memory + 2 * page, page, 8 },
		{ memory, 3 * page, 8 },
		{ memory, 3 * page, UINTPTR_MAX },
		{ NULL, page, (uintptr_t)vector },
		{ NULL, top + page, (uintptr_t)vector },
		{ NULL, top, (uintptr_t)vector },
	};

	memory[0] = 1;
	munmap(memory + 2 * page, 2 * page);
	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
		vector[0] = 77;
		outcome("mincore", syscall(SYS_mincore, calls[i].address,
					   calls[i].length, calls[i].vector));
		say("written", "%d", vector[0]);
	}
}

int main(void)
{
	begin();
	high_bits();
	ends_of_mincore();
	mapping_calls();
	file_at_offset();
	other_calls();
	raw_clone();
	raw_twice();
	return 0;
}
