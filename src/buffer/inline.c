/* SPDX-License-Identifier: MIT */
#include <vmspace/vec.h>

/* Defines the inline calls of the headers as functions of the library, too. */

extern inline int vms_buffer_append(vms_buffer *buffer, const void *bytes,
				    size_t length);
extern inline void *vms_buffer_extend(vms_buffer *buffer, size_t length);
extern inline int vms_buffer_truncate(vms_buffer *buffer, size_t size);
extern inline void vms_buffer_clear(vms_buffer *buffer);
extern inline void *vms_buffer_at(const vms_buffer *buffer, size_t offset);

extern inline int vms_vec_init(vms_buffer *buffer, size_t maximum,
			       size_t element,
			       const struct vms_buffer_options *options);
extern inline void *vms_vec_extend(vms_buffer *buffer, size_t count,
				   size_t element);
extern inline int vms_vec_append(vms_buffer *buffer, const void *elements,
				 size_t count, size_t element);
extern inline int vms_vec_resize(vms_buffer *buffer, size_t count,
				 size_t element);
extern inline int vms_vec_reserve(vms_buffer *buffer, size_t count,
				  size_t element);
extern inline int vms_vec_truncate(vms_buffer *buffer, size_t count,
				   size_t element);
