/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "natd/config_parse.h"

static int take_port(struct config_reader *reader, const struct config_word *word,
		     uint16_t *ret)
{
	if (port_parse(word->text, ret) < 0)
		return config_flaw(reader, word->line,
				   "port = \"%.64s\" is no port; a port is 1 to 65535",
				   word->text);
	return 0;
}

/* "192.168.1.10", "2001:db8::10", "[2001:db8::10]": @ret's port stays */
static int parse_bare_address(const char *text, struct endpoint *ret)
{
	char bare[INET6_ADDRSTRLEN];
	size_t len = strlen(text);

	if (text[0] != '[')
		return address_parse(text, &ret->addr);
	if (len < 2 || text[len - 1] != ']' || len - 2 >= sizeof(bare) ||
	    !strchr(text, ':'))
		return -EINVAL;
	memcpy(bare, text + 1, len - 2);
	bare[len - 2] = '\0';
	return address_parse(bare, &ret->addr);
}

/* @ret: on entry with the port that is meant where the text names none */
static int take_to(struct config_reader *reader, const struct config_word *word,
		   struct endpoint *ret)
{
	const char *flaw;
	int r;

	r = parse_bare_address(word->text, ret);
	if (r < 0)
		r = endpoint_parse(word->text, ret);
	if (r == -ERANGE)
		return config_flaw(reader, word->line,
				   "to = \"%.80s\": no such port; a port is 1 to 65535",
				   word->text);
	if (r < 0)
		return config_flaw(reader, word->line,
				   "to = \"%.80s\" is not understood: it is like "
				   "\"192.168.1.10:80\", \"192.168.1.10\" or "
				   "\"[2001:db8::10]:80\"",
				   word->text);
	flaw = address_unusable(&ret->addr);
	if (flaw)
		return config_flaw(reader, word->line,
				   "to = \"%.80s\": packets cannot be sent on to %s",
				   word->text, flaw);
	return 0;
}

static int take_mapping(const struct config_block *block, struct change *change)
{
	const struct config_word *protocol = config_block_word(block, "protocol", 0);
	const struct config_word *port = config_block_word(block, "port", 0);
	const struct config_word *to = config_block_word(block, "to", 0);
	struct config_reader *reader = block->reader;
	struct mapping *m = &change->mapping;
	int r;

	if (!protocol || !port || !to)
		return config_flaw(reader, block->line, "forward %s lacks \"%s\"",
				   block->title,
				   !protocol ? "protocol"
				   : !port   ? "port"
					     : "to");
	if (protocols_parse(protocol->text, &change->protocols) < 0)
		return config_flaw(
			reader, protocol->line,
			"protocol = \"%.64s\" is none of: tcp, udp, \"tcp,udp\"",
			protocol->text);
	r = take_port(reader, port, &m->external.port);
	if (r < 0)
		return r;
	m->internal.port = m->external.port;
	return take_to(reader, to, &m->internal);
}

static int append(struct config_reader *reader, const struct config_forward *forward)
{
	struct config *config = reader->config;

	if (config->n_forwards == reader->room) {
		size_t room = reader->room ? reader->room * 2 : 16;
		struct config_forward *more;

		more = reallocarray(config->forwards, room, sizeof(*more));
		if (!more)
			return -ENOMEM;
		config->forwards = more;
		reader->room = room;
	}
	config->forwards[config->n_forwards++] = *forward;
	return 0;
}

int config_take_forward(const struct config_block *block)
{
	struct config_forward forward = {
		.change = { .kind = CHANGE_ADD },
		.line = block->line,
	};
	struct mapping *m = &forward.change.mapping;
	const char *flaw = mapping_name_flaw(block->title);
	int r;

	if (!block->title[0] || flaw)
		return config_flaw(block->reader, block->line, "forward \"%.64s\": %s",
				   block->title, flaw ? flaw : "a forward needs a name");
	snprintf(m->name, sizeof(m->name), "%s", block->title);
	m->origin = ORIGIN_CONFIG;
	m->enabled = true;
	m->external.addr = address_any4;
	r = take_mapping(block, &forward.change);
	if (r < 0)
		return r;
	mapping_resolve(m);
	return append(block->reader, &forward);
}
