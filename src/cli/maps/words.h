/* SPDX-License-Identifier: MIT */
#ifndef VMSI_CLI_WORDS_H
#define VMSI_CLI_WORDS_H

/* The words for what a mapping may be. */

/* The word for each flag of a mapping, other than those of sharing. */
struct vmsi_flag_word {
	unsigned flag;
	const char *word;
};

/* The last entry has a NULL word. */
extern const struct vmsi_flag_word vmsi_flag_words[];

/* Protection as "rwx", with '-' for what is missing. */
struct vmsi_prot_text {
	char text[4];
};

struct vmsi_prot_text vmsi_prot_text(int prot);

#endif
