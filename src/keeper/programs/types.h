/* SPDX-License-Identifier: MIT
 *
 * The fields of the kernel's structures that the programs read, and no others. libbpf
 * finds each by its name in the running kernel's type information.
 */
#ifndef VMSI_KEEPER_PROGRAMS_TYPES_H
#define VMSI_KEEPER_PROGRAMS_TYPES_H

typedef unsigned char u8;
typedef int s32;
typedef unsigned int u32;
typedef long long s64;
typedef unsigned long long u64;

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	s64 counter;
} atomic64_t;

struct rw_semaphore {
	atomic64_t count;
	atomic64_t owner;
};

struct mm_struct {
	struct rw_semaphore mmap_lock;
	unsigned long data_vm;
	unsigned long stack_vm;
};

struct kernfs_node {
	u64 id;
};

struct cgroup_subsys_state {
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct thread_info {
	u32 status;
};

struct task_struct {
	struct thread_info thread_info;
	struct mm_struct *mm;
	struct css_set *cgroups;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	struct super_block *i_sb;
	s64 i_size;
};

struct file {
	struct inode *f_inode;
};

struct vm_area_struct {
	unsigned long vm_start;
	unsigned long vm_end;
	unsigned long vm_flags;
	struct mm_struct *vm_mm;
	struct file *vm_file;
};

struct pt_regs {
	unsigned long r10;
	unsigned long bx;
	unsigned long dx;
	unsigned long cx;
	unsigned long si;
	unsigned long di;
	unsigned long orig_ax;
};

struct bpf_iter__task {
	struct task_struct *task;
};

#pragma clang attribute pop

#endif
