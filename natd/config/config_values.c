/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/cleanup.h"
#include "natd/config/config_parse.h"

/* RFC 9293 3.7.1: no host need send more than 536 bytes unasked */
#define MSS_MIN 536

int config_choice(struct config_reader *reader, const struct config_word *word,
		  const char *what, const char *const words[], unsigned int *ret)
{
	char known[64] = "";

	if (!word)
		return 0;
	for (unsigned int i = 0; words[i]; i++) {
		size_t at = strlen(known);

		if (!strcmp(word->text, words[i])) {
			*ret = i;
			return 0;
		}
		snprintf(known + at, sizeof(known) - at, "%s%s", at ? ", " : "",
			 words[i]);
	}
	return config_flaw(reader, word->line, "%s = \"%.64s\" is none of: %s", what,
			   word->text, known);
}

int config_yes_no(const struct config_block *block, const char *what, bool *ret)
{
	static const char *const words[] = { "no", "yes", NULL };
	unsigned int choice = *ret;
	int r;

	r = config_choice(block->reader, config_block_word(block, what, 0), what, words,
			  &choice);
	*ret = choice == 1;
	return r;
}

/* An account's name: present in the system's database or not is asked when natd starts.
 */
static int take_account(struct config_reader *reader, const struct config_word *word,
			const char *what, char ret[static 64])
{
	if (!word)
		return 0;
	if (!word->text[0] || strlen(word->text) > 63 || strpbrk(word->text, " :\t\n"))
		return config_flaw(reader, word->line, "%s = \"%.64s\" is no %s name",
				   what, word->text, what);
	snprintf(ret, 64, "%s", word->text);
	return 0;
}

int config_take_top(const struct config_block *block)
{
	static const char *const words[] = { "auto", "owned", "watched", NULL };
	struct config *config = block->reader->config;
	unsigned int protection = PROTECTION_AUTO;
	int r;

	r = take_account(block->reader, config_block_word(block, "user", 0), "user",
			 config->user);
	if (r == 0)
		r = take_account(block->reader, config_block_word(block, "group", 0),
				 "group", config->group);
	if (r == 0)
		r = config_choice(block->reader,
				  config_block_word(block, "table-protection", 0),
				  "table-protection", words, &protection);
	config->options.protection = (enum protection)protection;
	if (r == 0)
		r = config_yes_no(block, "accounting", &config->accounting);
	return r;
}

/* ------------------------------------------------------------ interfaces */

/* What the kernel takes for an interface's name, but for "*", which people mean to stand
 * for many. */
static const char *interface_flaw(const char *name)
{
	if (!name[0])
		return "empty";
	if (strlen(name) >= IFNAMSIZ)
		return "longer than 15 characters";
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return "no name the kernel takes";
	for (const char *c = name; *c; c++) {
		if (*c == '*')
			return "a pattern; interfaces are named one by one";
		if (*c == '/' || *c == ':' || isspace((unsigned char)*c))
			return "no name the kernel takes, with its \"/\", \":\" or blank";
	}
	return NULL;
}

/* Refuse @word when it is among the @n names taken, with their lines. */
static int not_among(const struct config_block *block, const struct config_word *word,
		     const char (*names)[IFNAMSIZ], const unsigned int *lines, size_t n,
		     const char *side)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcmp(names[i], word->text))
			return config_flaw(block->reader, word->line,
					   "interface %s is a %s already (line %u)",
					   word->text, side, lines[i]);
	}
	return 0;
}

static int take_interface(const struct config_block *block,
			  const struct config_word *word, char (*names)[IFNAMSIZ],
			  unsigned int *lines, size_t *n, size_t max)
{
	struct config_reader *reader = block->reader;
	const struct ruleset_options *o = &reader->config->options;
	const char *flaw = interface_flaw(word->text);
	int r;

	if (flaw)
		return config_flaw(reader, word->line, "interface \"%.64s\" is %s",
				   word->text, flaw);
	r = not_among(block, word, o->wan, reader->wan_lines, o->n_wan, "WAN");
	if (r == 0)
		r = not_among(block, word, o->lan, reader->lan_lines, o->n_lan, "LAN");
	if (r < 0)
		return r;
	if (*n == max)
		return config_flaw(reader, word->line, "more than %zu interfaces", max);
	snprintf(names[*n], IFNAMSIZ, "%s", word->text);
	lines[(*n)++] = word->line;
	return 0;
}

int config_once(const struct config_block *block, const char *name, unsigned int *line)
{
	if (*line)
		return config_flaw(block->reader, block->line,
				   "a second %s block; the first is in line %u", name,
				   *line);
	*line = block->line;
	return 0;
}

static int take_mss(const struct config_block *block)
{
	const struct config_word *word = config_block_word(block, "mss", 0);
	struct config *config = block->reader->config;

	if (!word || !strcmp(word->text, "auto"))
		return 0;
	if (!strcmp(word->text, "off")) {
		config->mss_setting = MSS_SETTING_OFF;
		return 0;
	}
	config->mss_setting = MSS_SETTING_FIXED;
	if (port_parse(word->text, &config->options.mss) < 0 ||
	    config->options.mss < MSS_MIN)
		return config_flaw(block->reader, word->line,
				   "mss = \"%.64s\" is none of: auto, off, %d to 65535",
				   word->text, MSS_MIN);
	return 0;
}

int config_take_wan(const struct config_block *block)
{
	struct config_reader *reader = block->reader;
	struct ruleset_options *o = &reader->config->options;
	const struct config_word *word;
	int r;

	r = config_once(block, "wan", &reader->wan_line);
	for (unsigned int i = 0;
	     r == 0 && (word = config_block_word(block, "interfaces", i)); i++)
		r = take_interface(block, word, o->wan, reader->wan_lines, &o->n_wan,
				   RULESET_WANS_MAX);
	if (r < 0)
		return r;
	if (o->n_wan == 0)
		return config_flaw(reader, block->line,
				   "wan names no interface: interfaces = {\"eth0\"}");
	return take_mss(block);
}

int config_take_lan(const struct config_block *block)
{
	static const char *const words[] = { "auto", "yes", "no", NULL };
	struct config_reader *reader = block->reader;
	struct ruleset_options *o = &reader->config->options;
	unsigned int masquerade6 = MASQUERADE6_AUTO;
	const struct config_word *word;
	int r;

	r = config_once(block, "lan", &reader->lan_line);
	for (unsigned int i = 0;
	     r == 0 && (word = config_block_word(block, "interfaces", i)); i++)
		r = take_interface(block, word, o->lan, reader->lan_lines, &o->n_lan,
				   RULESET_LANS_MAX);
	if (r == 0)
		r = config_choice(reader, config_block_word(block, "masquerade6", 0),
				  "masquerade6", words, &masquerade6);
	reader->config->masquerade6 = (enum masquerade6)masquerade6;
	return r;
}

/* ------------------------------------------------------------ firewall */

static int add_open(struct config_reader *reader, unsigned int line, uint8_t protocol,
		    uint16_t port)
{
	struct ruleset_options *o = &reader->config->options;

	for (size_t i = 0; i < o->n_open; i++) {
		if (o->open[i].protocol == protocol && o->open[i].port == port)
			return config_flaw(
				reader, line, "%s %u is open already (line %u)",
				protocol_name(protocol), port, reader->open_lines[i]);
	}
	if (o->n_open == RULESET_OPEN_MAX)
		return config_flaw(reader, line, "more than %d open ports",
				   RULESET_OPEN_MAX);
	reader->open_lines[o->n_open] = line;
	o->open[o->n_open].protocol = protocol;
	o->open[o->n_open++].port = port;
	return 0;
}

/* "tcp 22", "tcp,udp 53" */
static int take_open(struct config_reader *reader, const struct config_word *word)
{
	size_t len = strcspn(word->text, " \t");
	const char *port_text = word->text + len + strspn(word->text + len, " \t");
	char protocols_text[PROTOCOLS_STRLEN] = "";
	uint8_t protocols;
	uint16_t port;
	int r = 0;

	if (len < sizeof(protocols_text))
		memcpy(protocols_text, word->text, len);
	if (protocols_parse(protocols_text, &protocols) < 0 || !*port_text)
		return config_flaw(
			reader, word->line,
			"open = \"%.64s\" is not understood: "
			"it is like \"tcp 22\", \"udp 51820\" or \"tcp,udp 53\"",
			word->text);
	if (port_parse(port_text, &port) < 0)
		return config_flaw(
			reader, word->line,
			"open = \"%.64s\": \"%.64s\" is no port; a port is 1 to "
			"65535",
			word->text, port_text);
	for (unsigned int i = 0; i < PROTOCOL_COUNT && r == 0; i++)
		if (protocols & 1u << i)
			r = add_open(reader, word->line, protocol_at(i), port);
	return r;
}

int config_take_firewall(const struct config_block *block)
{
	static const char *const words[] = { "accept", "drop", NULL };
	struct config_reader *reader = block->reader;
	const struct config_word *word;
	unsigned int input = 0;
	int r;

	r = config_once(block, "firewall", &reader->firewall_line);
	if (r == 0)
		r = config_choice(reader, config_block_word(block, "input", 0), "input",
				  words, &input);
	reader->config->options.input_drop = input == 1;
	for (unsigned int i = 0; r == 0 && (word = config_block_word(block, "open", i));
	     i++)
		r = take_open(reader, word);
	return r;
}
