/* SPDX-License-Identifier: MIT */

/*
 * syscall(2). Numbers that are routed go to vmsi_rehome_syscall, which has the
 * same parameters, by a jump. All others are done here, in a function without
 * a frame: a raw vfork or clone returns twice, once on another stack, so
 * nothing of this function may lie on the stack but what libc's has there too,
 * the return address.
 *
 * The kernel reads 32 bits of the number, and so does the comparison.
 */

#include <asm/unistd.h>

#ifndef __NR_mseal
#define __NR_mseal 462
#endif

	.text
	.globl syscall
	.type syscall, %function
	.p2align 4
syscall:
	.cfi_startproc

#if defined(__x86_64__)

	.macro route number
	cmpl $\number, %edi
	je .Lroute
	.endm

	endbr64
	route __NR_mmap
	route __NR_munmap
	route __NR_mremap
	route __NR_mprotect
	route __NR_pkey_mprotect
	route __NR_madvise
	route __NR_msync
	route __NR_mlock
	route __NR_mlock2
	route __NR_munlock
	route __NR_mincore
	route __NR_mseal

	movq %rdi, %rax
	movq %rsi, %rdi
	movq %rdx, %rsi
	movq %rcx, %rdx
	movq %r8, %r10
	movq %r9, %r8
	movq 8(%rsp), %r9
	syscall
	cmpq $-4095, %rax
	jae .Lfail
	ret
.Lfail:
	movq %rax, %rdi
	jmp vmsi_rehome_fail
.Lroute:
	jmp vmsi_rehome_syscall

#elif defined(__aarch64__)

	.macro route number
	cmp w0, #\number
	b.eq .Lroute
	.endm

	hint #34 /* bti c */
	route __NR_mmap
	route __NR_munmap
	route __NR_mremap
	route __NR_mprotect
	route __NR_pkey_mprotect
	route __NR_madvise
	route __NR_msync
	route __NR_mlock
	route __NR_mlock2
	route __NR_munlock
	route __NR_mincore
	route __NR_mseal

	uxtw x8, w0
	mov x0, x1
	mov x1, x2
	mov x2, x3
	mov x3, x4
	mov x4, x5
	mov x5, x6
	svc #0
	cmn x0, #4095
	b.cs .Lfail
	ret
.Lfail:
	b vmsi_rehome_fail
.Lroute:
	b vmsi_rehome_syscall

#else
#error "vmspace knows the system calls of x86-64 and aarch64 only"
#endif

	.cfi_endproc
	.size syscall, . - syscall

	.hidden vmsi_rehome_fail
	.hidden vmsi_rehome_syscall

	.section .note.GNU-stack, "", %progbits
