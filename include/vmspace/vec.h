/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_VEC_H
#define VMSPACE_VEC_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <vmspace/buffer.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Arrays of one type that grow without being copied: a thin layer on buffers,
 * whose caveats hold here too.
 *
 *	VMS_VEC_DECLARE(points, struct point);
 *
 * makes the type `points` and these inline functions. Sizes, counts and indices
 * are of elements. Each fails as the vms_buffer call named beside it, and with
 * ENOMEM where the size in bytes overflows.
 *
 *	int points_init(points *vec, size_t maximum, options)  vms_buffer_init
 *	int points_free(points *vec)                           vms_buffer_free
 *	struct point *points_data(const points *vec)           the first element
 *	size_t points_size(const points *vec)
 *	struct point *points_at(const points *vec, size_t i)   vms_buffer_at
 *	int points_push(points *vec, struct point value)       vms_buffer_append
 *	bool points_pop(points *vec, struct point *value)      false: it is empty;
 *	                                                       value may be NULL
 *	struct point *points_extend(points *vec, size_t n)     vms_buffer_extend
 *	int points_append(points *vec, const struct point *values, size_t n)
 *	int points_resize(points *vec, size_t n)               vms_buffer_resize
 *	int points_reserve(points *vec, size_t n)              vms_buffer_reserve
 *	int points_truncate(points *vec, size_t n)             vms_buffer_truncate
 *	void points_clear(points *vec)                         vms_buffer_clear
 *	int points_shrink(points *vec)                         vms_buffer_shrink
 *
 * For other calls, the buffer is the member `buffer`.
 *
 * Elements are copied as bytes, and those that resize adds have all bytes 0: in
 * C++ the type must be trivially copyable. Its alignment is at most a page.
 */

/*
 * The functions above call these: each is the vms_buffer call of the same name for
 * count elements of element bytes, which is not 0. Where the product overflows
 * they fail with ENOMEM, vms_vec_truncate with EINVAL.
 */
inline int vms_vec_init(vms_buffer *buffer, size_t maximum, size_t element,
			const struct vms_buffer_options *options);
inline void *vms_vec_extend(vms_buffer *buffer, size_t count, size_t element);
inline int vms_vec_append(vms_buffer *buffer, const void *elements,
			  size_t count, size_t element);
inline int vms_vec_resize(vms_buffer *buffer, size_t count, size_t element);
inline int vms_vec_reserve(vms_buffer *buffer, size_t count, size_t element);
inline int vms_vec_truncate(vms_buffer *buffer, size_t count, size_t element);

/* The product; SIZE_MAX where it overflows, which no call grants. */
#define VMS_VEC_BYTES(count, element) \
	((count) > SIZE_MAX / (element) ? SIZE_MAX : (count) * (element))

inline int vms_vec_init(vms_buffer *buffer, size_t maximum, size_t element,
			const struct vms_buffer_options *options)
{
	return vms_buffer_init(buffer, VMS_VEC_BYTES(maximum, element),
			       options);
}

inline void *vms_vec_extend(vms_buffer *buffer, size_t count, size_t element)
{
	return vms_buffer_extend(buffer, VMS_VEC_BYTES(count, element));
}

inline int vms_vec_append(vms_buffer *buffer, const void *elements,
			  size_t count, size_t element)
{
	return vms_buffer_append(buffer, elements,
				 VMS_VEC_BYTES(count, element));
}

inline int vms_vec_resize(vms_buffer *buffer, size_t count, size_t element)
{
	return vms_buffer_resize(buffer, VMS_VEC_BYTES(count, element));
}

inline int vms_vec_reserve(vms_buffer *buffer, size_t count, size_t element)
{
	return vms_buffer_reserve(buffer, VMS_VEC_BYTES(count, element));
}

inline int vms_vec_truncate(vms_buffer *buffer, size_t count, size_t element)
{
	return vms_buffer_truncate(buffer, VMS_VEC_BYTES(count, element));
}

/* C++ compilers can be asked to warn of C's casts. */
#ifdef __cplusplus
#define VMS_VEC_POINTER(type, pointer) static_cast<type *>(pointer)
#define VMS_VEC_DATA(type, pointer) reinterpret_cast<type *>(pointer)
#else
#define VMS_VEC_POINTER(type, pointer) ((type *)(pointer))
#define VMS_VEC_DATA(type, pointer) ((type *)(void *)(pointer))
#endif

/* Unused: a program need not use all functions of a type. */
#define VMS_VEC_FUNCTION static inline __attribute__((__unused__))

#define VMS_VEC_DECLARE(name, type) \
	typedef struct name { \
		vms_buffer buffer; \
	} name; \
\
	VMS_VEC_FUNCTION int \
	name##_init(name *vec, size_t maximum, \
		    const struct vms_buffer_options *options) \
	{ \
		return vms_vec_init(&vec->buffer, maximum, sizeof(type), \
				    options); \
	} \
\
	VMS_VEC_FUNCTION int name##_free(name *vec) \
	{ \
		return vms_buffer_free(&vec->buffer); \
	} \
\
	VMS_VEC_FUNCTION type *name##_data(const name *vec) \
	{ \
		return VMS_VEC_DATA(type, vec->buffer.data); \
	} \
\
	VMS_VEC_FUNCTION size_t name##_size(const name *vec) \
	{ \
		return vec->buffer.size / sizeof(type); \
	} \
\
	VMS_VEC_FUNCTION type *name##_at(const name *vec, size_t i) \
	{ \
		if (i < name##_size(vec)) \
			return name##_data(vec) + i; \
		errno = ERANGE; \
		return VMS_BUFFER_NULL; \
	} \
\
	VMS_VEC_FUNCTION type *name##_extend(name *vec, size_t n) \
	{ \
		return VMS_VEC_POINTER(type, vms_vec_extend( \
			&vec->buffer, n, sizeof(type))); \
	} \
\
	VMS_VEC_FUNCTION int name##_push(name *vec, type value) \
	{ \
		type *place = VMS_VEC_POINTER(type, vms_buffer_extend( \
			&vec->buffer, sizeof(type))); \
\
		if (!place) \
			return -1; \
		*place = value; \
		return 0; \
	} \
\
	VMS_VEC_FUNCTION bool name##_pop(name *vec, type *value) \
	{ \
		size_t n = name##_size(vec); \
\
		if (n == 0) \
			return false; \
		if (value) \
			*value = name##_data(vec)[n - 1]; \
		(void)vms_buffer_truncate(&vec->buffer, \
					  (n - 1) * sizeof(type)); \
		return true; \
	} \
\
	VMS_VEC_FUNCTION int name##_append(name *vec, const type *values, \
					   size_t n) \
	{ \
		return vms_vec_append(&vec->buffer, values, n, sizeof(type)); \
	} \
\
	VMS_VEC_FUNCTION int name##_resize(name *vec, size_t n) \
	{ \
		return vms_vec_resize(&vec->buffer, n, sizeof(type)); \
	} \
\
	VMS_VEC_FUNCTION int name##_reserve(name *vec, size_t n) \
	{ \
		return vms_vec_reserve(&vec->buffer, n, sizeof(type)); \
	} \
\
	VMS_VEC_FUNCTION int name##_truncate(name *vec, size_t n) \
	{ \
		return vms_vec_truncate(&vec->buffer, n, sizeof(type)); \
	} \
\
	VMS_VEC_FUNCTION void name##_clear(name *vec) \
	{ \
		vms_buffer_clear(&vec->buffer); \
	} \
\
	VMS_VEC_FUNCTION int name##_shrink(name *vec) \
	{ \
		return vms_buffer_shrink(&vec->buffer); \
	} \
	struct name

#ifdef __cplusplus
}
#endif

#endif
