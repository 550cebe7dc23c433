/* SPDX-License-Identifier: MIT */
#ifndef VMSI_BASE_TSAN_H
#define VMSI_BASE_TSAN_H

/* Whether ThreadSanitizer looks on: gcc defines a macro, clang has a feature. */
#if defined(__SANITIZE_THREAD__)
#define VMSI_HAS_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define VMSI_HAS_TSAN 1
#endif
#endif
#ifndef VMSI_HAS_TSAN
#define VMSI_HAS_TSAN 0
#endif

#endif
