/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/target.h"
#include "natd/config/config_parse.h"

static int take_port(struct config_reader *reader, const struct config_word *word,
		     struct mapping *m)
{
	struct port_range range;

	if (port_range_parse(word->text, &range) < 0)
		return config_flaw(reader, word->line,
				   "port = \"%.64s\" is no port; a port is 1 to 65535, a "
				   "range of ports like \"9000-9003\"",
				   word->text);
	m->external.port = range.first;
	m->n_ports = (uint16_t)(range.last - range.first + 1);
	return 0;
}

static int say_target(struct config_reader *reader, const struct config_word *word, int r)
{
	if (r == -ERANGE)
		return config_flaw(reader, word->line,
				   "to = \"%.80s\": no such port; a port is 1 to 65535",
				   word->text);
	if (r == -EDOM)
		return config_flaw(reader, word->line,
				   "to = \"%.80s\": the last port is below the first",
				   word->text);
	if (r == -EXDEV)
		return config_flaw(reader, word->line,
				   "to = \"%.80s\": an interface is named for a host "
				   "suffix alone, like \"::10%%lan0\"",
				   word->text);
	return config_flaw(reader, word->line,
			   "to = \"%.80s\" is not understood: it is like "
			   "\"192.168.1.10:80\", \"192.168.1.10\" or "
			   "\"[2001:db8::10]:443\"",
			   word->text);
}

/* A range inside has as many ports as the one outside; its last need not be said. */
static int take_internal_ports(struct config_reader *reader,
			       const struct config_word *word,
			       const struct target *target, struct mapping *m)
{
	const unsigned int n = target->ports.last - target->ports.first + 1u;

	if (!target->ports.first)
		return 0;
	m->internal.port = target->ports.first;
	if (target->ports.last != target->ports.first && n != m->n_ports)
		return config_flaw(reader, word->line,
				   "to = \"%.80s\": %u ports, and %u outside", word->text,
				   n, m->n_ports);
	return 0;
}

static int take_to(struct config_reader *reader, const struct config_word *word,
		   struct mapping *m, char lan[static IFNAMSIZ])
{
	struct target target;
	const char *flaw;
	int r;

	r = target_parse(word->text, &target);
	if (r < 0)
		return say_target(reader, word, r);
	flaw = target.suffix ? NULL : address_unusable(&target.addr);
	if (flaw)
		return config_flaw(reader, word->line,
				   "to = \"%.80s\": packets cannot be sent on to %s",
				   word->text, flaw);
	m->internal.addr = target.addr;
	m->suffix = target.suffix;
	memcpy(lan, target.lan, IFNAMSIZ);
	return take_internal_ports(reader, word, &target, m);
}

static int take_at(const struct config_block *block, struct mapping *m)
{
	const struct config_word *word = config_block_word(block, "at", 0);

	m->external.addr = address_any4;
	if (!word)
		return 0;
	if (address_parse(word->text, &m->external.addr) < 0 ||
	    address_unusable(&m->external.addr))
		return config_flaw(block->reader, word->line,
				   "at = \"%.64s\" is no external address; it is like "
				   "\"203.0.113.7\"",
				   word->text);
	return 0;
}

/* What few mappings have: comment, remote prefixes, the LAN of a suffix. */
static int take_details(const struct config_block *block, const char *lan,
			struct mapping *m)
{
	const struct config_word *comment = config_block_word(block, "comment", 0);
	const struct config_word *from = config_block_word(block, "from", 0);
	struct prefix remotes[MAPPING_REMOTES_MAX];
	const char *flaw;
	size_t n = 0;
	int r;

	flaw = comment ? mapping_comment_flaw(comment->text) : NULL;
	if (flaw)
		return config_flaw(block->reader, comment->line, "comment: %s", flaw);
	r = config_prefixes(block, "from", remotes, &n, MAPPING_REMOTES_MAX);
	for (size_t i = 0; i < n && r == 0; i++) {
		if (prefix_is_ipv4(&remotes[i]) != address_is_ipv4(&m->internal.addr))
			r = config_flaw(block->reader, from->line,
					"from: a prefix of another family than to");
	}
	if (r < 0)
		return r;
	return details_new(lan, comment ? comment->text : "", remotes, n, &m->details);
}

static int take_words(const struct config_block *block, struct change *change)
{
	const struct config_word *protocol = config_block_word(block, "protocol", 0);
	const struct config_word *port = config_block_word(block, "port", 0);
	const struct config_word *to = config_block_word(block, "to", 0);
	struct config_reader *reader = block->reader;
	struct mapping *m = &change->mapping;
	char lan[IFNAMSIZ] = "";
	int r;

	if (!protocol || !port || !to)
		return config_flaw(reader, block->line, "forward %s lacks \"%s\"",
				   block->title,
				   !protocol ? "protocol"
				   : !port   ? "port"
					     : "to");
	if (protocols_parse(protocol->text, &change->protocols) < 0)
		return config_flaw(reader, protocol->line,
				   "protocol = \"%.64s\" is none of: tcp, udp, "
				   "\"tcp,udp\", sctp, udplite",
				   protocol->text);
	r = take_port(reader, port, m);
	if (r < 0)
		return r;
	m->internal.port = m->external.port;
	r = take_to(reader, to, m, lan);
	if (r == 0)
		r = take_at(block, m);
	return r < 0 ? r : take_details(block, lan, m);
}

static int take_upstream(const struct config_block *block, struct mapping *m)
{
	static const char *const words[] = { "default", "yes", "no", "required", NULL };
	unsigned int choice = UPSTREAM_DEFAULT;
	int r;

	r = config_choice(block->reader, config_block_word(block, "upstream", 0),
			  "upstream", words, &choice);
	m->upstream = (uint8_t)choice;
	return r;
}

static int take_mapping(const struct config_block *block, struct change *change)
{
	struct mapping *m = &change->mapping;
	const char *flaw;
	int r;

	m->enabled = true;
	r = take_words(block, change);
	if (r == 0)
		r = config_yes_no(block, "enabled", &m->enabled);
	if (r == 0)
		r = config_yes_no(block, "force", &change->force);
	if (r == 0)
		r = take_upstream(block, m);
	if (r < 0)
		return r;
	mapping_resolve(m);
	/* all of them are judged alike */
	m->protocol = protocol_at((unsigned int)__builtin_ctz(change->protocols));
	flaw = mapping_flaw(m);
	if (flaw)
		return config_flaw(block->reader, block->line, "forward %s: %s",
				   block->title, flaw);
	return 0;
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
	const struct config_word *upstream = config_block_word(block, "upstream", 0);
	struct mapping *m = &forward.change.mapping;
	const char *flaw = mapping_name_flaw(block->title);
	int r;

	if (!block->title[0] || flaw)
		return config_flaw(block->reader, block->line, "forward \"%.64s\": %s",
				   block->title, flaw ? flaw : "a forward needs a name");
	snprintf(m->name, sizeof(m->name), "%s", block->title);
	m->origin = ORIGIN_CONFIG;
	forward.upstream_line = upstream ? upstream->line : 0;
	r = take_mapping(block, &forward.change);
	if (r == 0)
		r = append(block->reader, &forward);
	if (r < 0)
		change_done(&forward.change);
	return r;
}
