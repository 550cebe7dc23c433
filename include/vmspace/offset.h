/* SPDX-License-Identifier: MIT */
#ifndef VMSPACE_OFFSET_H
#define VMSPACE_OFFSET_H

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
#include <functional>
#include <type_traits>
#else
#include <stddef.h>
#include <stdint.h>
#endif

/*
 * Pointers for structures in shared memory, which each process has at another address:
 * an offset pointer says how far away from itself its target is. Pointer and target lie
 * in the same share. Copied by its bytes to another place it points elsewhere: assign
 * by the macros, or in C++ by the class.
 *
 *   struct node { vms_offset(struct node) next; int value; };
 *
 *   vms_offset_set(&node->next, other);
 *   for (; node; node = vms_offset_get(&node->next)) ...
 *
 * An offset that another process has written may lead anywhere. Where its word is not
 * to be taken, keep offsets from the start of the share, and ask vms_share_at.
 */

/*
 * The type of an offset pointer to a type. All zero is NULL; so the one byte that it
 * cannot point to is that before itself.
 */
#define vms_offset(type) \
	union { \
		int64_t away; /* one more than the distance in bytes */ \
		type *kind; /* for the type alone: never read */ \
	}

/* Its target, with the type's; NULL. The pointer is evaluated more than once. */
#define vms_offset_get(pointer) \
	VMS_OFFSET_TARGET(&(pointer)->away, (pointer)->kind)

/* Let it point to a target of its type, or NULL. The pointer is evaluated more than once. */
#define vms_offset_set(pointer, target) \
	vms_offset_point(&(pointer)->away, \
			 (0 ? ((pointer)->kind = (target)) : (target)))

/* The calls behind the macros. */
#ifndef __cplusplus

/* Of a conditional expression: without the const of what it is taken from. */
#define VMS_OFFSET_TARGET(away, kind) \
	((__typeof__(1 ? (kind) : (kind)))vms_offset_target(away))

static inline void *vms_offset_target(const int64_t *away)
{
	const uintptr_t distance = (uintptr_t)*away;

	return distance ? (void *)((uintptr_t)away + distance - 1) : NULL;
}

static inline void vms_offset_point(int64_t *away, const volatile void *target)
{
	*away = target ? (int64_t)((uintptr_t)target - (uintptr_t)away + 1) : 0;
}

#else

#define VMS_OFFSET_TARGET(away, kind) (vms::offset_target(away, &(kind)))

inline void *vms_offset_target(const std::int64_t *away) noexcept
{
	const std::uintptr_t distance = static_cast<std::uintptr_t>(*away);

	return distance ? reinterpret_cast<void *>(
		reinterpret_cast<std::uintptr_t>(away) + distance - 1) : nullptr;
}

inline void vms_offset_point(std::int64_t *away,
			     const volatile void *target) noexcept
{
	*away = target ? static_cast<std::int64_t>(
		reinterpret_cast<std::uintptr_t>(target) -
		reinterpret_cast<std::uintptr_t>(away) + 1) : 0;
}

namespace vms {

template <typename T>
T *offset_target(const std::int64_t *away, T *const *) noexcept
{
	return static_cast<T *>(vms_offset_target(away));
}

/* The same as a class: assigned, converted, copied and compared as a pointer is. */
template <typename T> class offset_pointer {
	using reference = typename std::add_lvalue_reference<T>::type;

	template <typename U>
	using if_converts = typename std::enable_if<
		std::is_convertible<U *, T *>::value>::type;

public:
	using element_type = T;

	offset_pointer(std::nullptr_t = nullptr) noexcept {}
	offset_pointer(T *target) noexcept { point(target); }
	offset_pointer(const offset_pointer &other) noexcept { point(other.get()); }
	template <typename U, typename = if_converts<U>>
	offset_pointer(const offset_pointer<U> &other) noexcept { point(other.get()); }
	offset_pointer &operator=(const offset_pointer &other) noexcept
	{
		point(other.get());
		return *this;
	}

	T *get() const noexcept
	{
		return static_cast<T *>(vms_offset_target(&away));
	}
	reference operator*() const noexcept { return *get(); }
	T *operator->() const noexcept { return get(); }
	template <typename U = T> U &operator[](std::ptrdiff_t index) const noexcept
	{
		return get()[index];
	}
	explicit operator bool() const noexcept { return away != 0; }

	friend bool operator==(const offset_pointer &a, const offset_pointer &b) noexcept
	{
		return a.get() == b.get();
	}
	friend bool operator!=(const offset_pointer &a, const offset_pointer &b) noexcept
	{
		return a.get() != b.get();
	}
	friend bool operator<(const offset_pointer &a, const offset_pointer &b) noexcept
	{
		return std::less<T *>()(a.get(), b.get());
	}

private:
	void point(T *target) noexcept { vms_offset_point(&away, target); }

	std::int64_t away = 0;
};

} // namespace vms

#endif

#endif
