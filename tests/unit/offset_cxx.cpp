// SPDX-License-Identifier: MIT
// Offset pointers from C++11 on, also with warnings that programs ask for.
#include <cstdio>
#include <cstring>
#include <type_traits>

#include <vmspace/offset.h>

namespace {

int cases;
bool all_good = true;

void tap_case(bool good, const char *name)
{
	std::printf("%sok %d - %s\n", good ? "" : "not ", ++cases, name);
	all_good = all_good && good;
}

struct base {
	int number;
};

struct derived : base {
	vms::offset_pointer<derived> next{};
	vms_offset(derived) plain{};
};

using pointer = vms::offset_pointer<derived>;

static_assert(!std::is_trivially_copyable<pointer>::value, "its bytes are not it");
static_assert(sizeof(pointer) == 8, "it is one word");
static_assert(std::is_convertible<pointer, vms::offset_pointer<const base>>::value,
	      "it converts as a pointer does");
static_assert(!std::is_convertible<vms::offset_pointer<base>, pointer>::value &&
	      !std::is_convertible<vms::offset_pointer<const derived>, pointer>::value &&
	      !std::is_convertible<int *, pointer>::value &&
	      !std::is_convertible<pointer, bool>::value,
	      "and where a pointer does not, neither does it");

bool points_anywhere()
{
	derived nodes[3] = {};

	nodes[0].next = &nodes[2];
	nodes[1].next = nodes[0].next;
	nodes[2].next = &nodes[2];
	nodes[2].number = 7;
	return nodes[0].next.get() == &nodes[2] && nodes[1].next.get() == &nodes[2] &&
		nodes[2].next == nodes[1].next && nodes[0].next->number == 7 &&
		(*nodes[0].next).number == 7 && nodes[0].next[0].number == 7 &&
		nodes[0].next;
}

// The next of a circular list's only node, where that is its first member.
bool points_to_itself()
{
	struct node {
		vms::offset_pointer<node> next{};
	};
	struct plain_node {
		vms_offset(plain_node) next;
	};
	node one;
	plain_node other;

	one.next = &one;
	vms_offset_set(&other.next, &other);
	return one.next && one.next.get() == &one &&
		vms_offset_get(&other.next) == &other;
}

bool all_zero_is_null()
{
	alignas(pointer) unsigned char bytes[sizeof(pointer)] = {};
	const pointer *zero = reinterpret_cast<const pointer *>(bytes);
	pointer none, other = nullptr;

	other = nullptr;
	return !*zero && zero->get() == nullptr && !none && none == nullptr &&
		nullptr == other && none == *zero;
}

bool compares()
{
	derived nodes[2] = {};
	const pointer first = &nodes[0], second = &nodes[1];

	return first != second && first < second && !(second < first) &&
		first == &nodes[0] && &nodes[1] == second && first != nullptr;
}

bool converts()
{
	derived node = {};
	const pointer own = &node;
	vms::offset_pointer<const base> other = own;
	vms::offset_pointer<void> any;

	any = own;
	other = own;
	return other.get() == &node && any.get() == &node && other == own.get();
}

bool macros_work()
{
	derived nodes[2] = {};
	const derived &first = nodes[0];

	vms_offset_set(&nodes[0].plain, &nodes[1]);
	if (vms_offset_get(&first.plain) != &nodes[1])
		return false;
	vms_offset_set(&nodes[0].plain, nullptr);
	return vms_offset_get(&first.plain) == nullptr;
}

// In two places, as processes have it.
bool holds_at_another_address()
{
	struct pair {
		pointer first{};
		derived node{};
	};
	alignas(pair) unsigned char there[sizeof(pair)];
	pair here;

	here.first = &here.node;
	here.node.number = 5;
	std::memcpy(there, static_cast<const void *>(&here), sizeof(here));
	return reinterpret_cast<const pair *>(there)->first.get() ==
		&reinterpret_cast<const pair *>(there)->node;
}

} // namespace

int main()
{
	tap_case(points_anywhere(), "it points to anything, and so does a copy");
	tap_case(points_to_itself(), "it points to itself");
	tap_case(all_zero_is_null(), "all zero is null");
	tap_case(compares(), "it is compared as a pointer is");
	tap_case(converts(), "it converts as a pointer does");
	tap_case(macros_work(), "the macros work");
	tap_case(holds_at_another_address(), "it holds at another address");
	std::printf("1..%d\n", cases);
	return all_good ? 0 : 1;
}
