/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * args - the words of one command, sorted into verb, operands and options
 *
 * Options may stand anywhere: before the verb, between operands, after them; "--" ends
 * them. What a word starting with "-" means is read from the usage texts of all verbs, so
 * that the verb need not be known first. "-1" is an operand (and a poor one).
 */

#include "cli/flaw.h"
#include "cli/grammar.h"

struct verb;

/** struct args_option - @value is borrowed from the words; "" for those without */
struct args_option {
	char name[GRAMMAR_WORD_MAX];
	const char *value;
};

/**
 * struct args - owner of two heap arrays; the words themselves are borrowed
 * @verb: NULL when no operand was given
 */
struct args {
	const struct verb *verb;
	const char **operands;
	size_t n_operands;
	struct args_option *options;
	size_t n_options;
};

/**
 * args_parse() - sort @n words
 * @ret: written on success only; args_done() frees it
 * @why: written on failure
 *
 * Return: 0; -EINVAL: unknown verb or option, an option twice, without its value or with
 * one it does not take; -ENOMEM.
 */
int args_parse(const char *const *words, size_t n, struct args *ret, struct flaw *why);
void args_done(struct args *args);

/** args_check() - do options and number of operands fit the verb? Return: 0, -EINVAL */
int args_check(const struct args *args, struct flaw *why);

/** args_option() - value of "--name", borrowed; NULL when it was not given */
const char *args_option(const struct args *args, const char *name);
/** args_option_at() - the @i-th value of an option that may be given several times */
const char *args_option_at(const struct args *args, const char *name, size_t i);
bool args_has(const struct args *args, const char *name);
