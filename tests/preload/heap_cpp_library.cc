// SPDX-License-Identifier: MIT
#include <stdexcept>
#include <string>
#include <vector>

// A library in C++ for a program in C that knows nothing of C++.

extern "C" std::vector<std::string> *make_strings(std::size_t count);
extern "C" std::size_t free_strings(std::vector<std::string> *strings);
extern "C" int refuse();

std::vector<std::string> *make_strings(std::size_t count)
{
	auto *strings = new std::vector<std::string>;

	for (std::size_t i = 0; i < count; i++)
		strings->emplace_back(i * 50000, 's');
	return strings;
}

std::size_t free_strings(std::vector<std::string> *strings)
{
	std::size_t sum = 0;

	for (const auto &text : *strings)
		sum += text.size();
	delete strings;
	return sum;
}

static volatile std::size_t most = SIZE_MAX / 4;

int refuse()
{
	try {
		::operator delete(::operator new(most));
	} catch (const std::bad_alloc &) {
		return 1;
	}
	return 0;
}
