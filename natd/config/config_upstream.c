/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * config_upstream - what the router above us is asked for
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/duration.h"
#include "core/url.h"
#include "natd/config/config_parse.h"

#define LIFETIME_MIN 120   /* RFC 6887 15 */
#define LIFETIME_MAX 86400 /* RFC 6887 15 */
#define CHECK_MAX    3600
#define STUN_PORT    3478 /* RFC 8489 8 */

static int take_policy(const struct config_block *block, enum upstream_policy *ret)
{
	static const char *const words[] = { "all", "chosen", "none", NULL };
	unsigned int choice = *ret;
	int r;

	r = config_choice(block->reader, config_block_word(block, "policy", 0), "policy",
			  words, &choice);
	*ret = (enum upstream_policy)choice;
	return r;
}

static int take_protocol(const struct config_block *block, const struct config_word *word,
			 struct upstream_options *ret)
{
	enum upstream_speech speech;

	if (upstream_speech_parse(word->text, &speech) < 0)
		return config_flaw(block->reader, word->line,
				   "protocols = \"%.64s\" is none of: pcp, nat-pmp, upnp",
				   word->text);
	for (uint8_t i = 0; i < ret->n_order; i++)
		if (ret->order[i] == speech)
			return config_flaw(block->reader, word->line,
					   "protocols: %s is given twice", word->text);
	ret->order[ret->n_order++] = (uint8_t)speech;
	return 0;
}

/* A list that is given and empty has no word, and so no line. */
static int take_protocols(const struct config_block *block, struct upstream_options *ret)
{
	const struct config_word *word = config_block_word(block, "protocols", 0);
	int r = 0;

	if (!config_block_has(block, "protocols"))
		return 0;
	if (!word)
		return config_flaw(block->reader, block->line,
				   "upstream: protocols is empty; it is like {\"pcp\", "
				   "\"nat-pmp\", \"upnp\"}, and enable = no looks for "
				   "no router");
	ret->n_order = 0;
	for (unsigned int i = 0;
	     r == 0 && (word = config_block_word(block, "protocols", i)); i++)
		r = take_protocol(block, word, ret);
	return r;
}

/* @ret: in seconds; keeps what it is where there is no such word */
static int take_time(const struct config_block *block, const char *what, uint32_t min,
		     uint32_t max, uint32_t *ret)
{
	const struct config_word *word = config_block_word(block, what, 0);
	char from[DURATION_STRLEN], to[DURATION_STRLEN];
	uint32_t seconds;

	if (!word)
		return 0;
	if (duration_parse(word->text, &seconds) < 0)
		return config_flaw(block->reader, word->line,
				   "%s = \"%.64s\" is no time; it is like 90s, 15m, 2h",
				   what, word->text);
	if (seconds < min || seconds > max)
		return config_flaw(block->reader, word->line,
				   "%s = \"%.64s\" is not from %s to %s", what,
				   word->text, duration_format(min, from),
				   duration_format(max, to));
	*ret = seconds;
	return 0;
}

static int say_url(const struct config_block *block, const struct config_word *word,
		   int error)
{
	const char *what = "a host that is no address";

	if (error == -ENAMETOOLONG)
		what = "too long";
	else if (error == -EPROTONOSUPPORT)
		what = "another scheme than http";
	else if (error == -ERANGE)
		what = "no port from 1 to 65535";
	return config_flaw(block->reader, word->line,
			   "url = \"%.64s\": %s; it is like "
			   "\"http://192.168.0.1:5000/rootDesc.xml\", and no name "
			   "server is asked for it",
			   word->text, what);
}

static int take_url(const struct config_block *block, struct upstream_options *ret)
{
	const struct config_word *word = config_block_word(block, "url", 0);
	const char *unusable;
	struct url url;
	int r;

	if (!word)
		return 0;
	r = url_host(word->text, &url);
	if (r < 0)
		return say_url(block, word, r);
	unusable = url.scope[0] ? NULL : address_unusable(&url.host.addr);
	if (unusable)
		return config_flaw(block->reader, word->line,
				   "url = \"%.64s\": no router can be asked at %s",
				   word->text, unusable);
	block->reader->url_line = word->line;
	memcpy(ret->url, word->text, strlen(word->text) + 1);
	return 0;
}

static int say_stun(const struct config_block *block, const struct config_word *word,
		    const char *flaw)
{
	return config_flaw(block->reader, word->line,
			   "stun = \"%.64s\" is not understood: %s; it is like "
			   "\"stun.example.org\", \"stun.example.org:3478\" or "
			   "\"203.0.113.9:3478\"",
			   word->text, flaw);
}

/* @text: behind the colon. Return: 0, -EINVAL */
static int stun_port(const char *text, uint16_t *ret)
{
	struct port_range range;

	if (port_range_parse(text, &range) < 0 || range.first != range.last)
		return -EINVAL;
	*ret = range.first;
	return 0;
}

/* Who it is, name servers are asked when it is wanted. */
static int take_stun_name(const struct config_block *block,
			  const struct config_word *word, struct upstream_options *ret)
{
	const char *colon = strchr(word->text, ':'), *flaw;
	const size_t len = colon ? (size_t)(colon - word->text) : strlen(word->text);
	struct endpoint stun = { .addr = address_any4, .port = STUN_PORT };
	char name[HOST_NAME_STRLEN] = "";

	if (colon && stun_port(colon + 1, &stun.port) < 0)
		return say_stun(block, word,
				"no port from 1 to 65535 is behind the colon");
	if (len >= sizeof(name))
		return say_stun(block, word, "it is longer than 253 characters");
	memcpy(name, word->text, len);
	flaw = host_name_flaw(name);
	if (flaw)
		return say_stun(block, word, flaw);
	ret->stun = stun;
	memcpy(ret->stun_name, name, sizeof(ret->stun_name));
	return 0;
}

static int take_stun(const struct config_block *block, struct upstream_options *ret)
{
	const struct config_word *word = config_block_word(block, "stun", 0);
	struct endpoint stun = { .port = STUN_PORT };
	const char *unusable;

	if (!word)
		return 0;
	if (address_parse(word->text, &stun.addr) < 0 &&
	    endpoint_parse(word->text, &stun) < 0)
		return take_stun_name(block, word, ret);
	unusable = address_unusable(&stun.addr);
	if (unusable)
		return config_flaw(block->reader, word->line,
				   "stun = \"%.64s\": no server can be asked at %s",
				   word->text, unusable);
	if (!address_is_ipv4(&stun.addr))
		return config_flaw(block->reader, word->line,
				   "stun = \"%.64s\": the server's address is one of "
				   "IPv4, whose address it is to tell",
				   word->text);
	ret->stun = stun;
	return 0;
}

int config_take_upstream(const struct config_block *block)
{
	struct upstream_options *o = &block->reader->config->upstream;
	uint32_t check = o->check / 1000;
	int r;

	r = config_once(block, "upstream", &block->reader->upstream_line);
	if (r == 0)
		r = config_yes_no(block, "enable", &o->enable);
	block->reader->config->options.asks_routers = o->enable;
	if (r == 0)
		r = take_policy(block, &o->policy);
	if (r == 0)
		r = take_protocols(block, o);
	if (r == 0)
		r = take_time(block, "lifetime", LIFETIME_MIN, LIFETIME_MAX,
			      &o->lifetime);
	if (r == 0)
		r = take_time(block, "check", 1, CHECK_MAX, &check);
	o->check = check * 1000;
	if (r == 0)
		r = config_yes_no(block, "other-port", &o->other_port);
	if (r == 0)
		r = take_url(block, o);
	return r < 0 ? r : take_stun(block, o);
}

/* ------------------------------------------------------------ with the rest of it */

static int check_url(struct config_reader *reader)
{
	const struct config *config = reader->config;
	struct url url;

	if (!reader->url_line || url_host(config->upstream.url, &url) < 0 ||
	    !url.scope[0])
		return 0;
	for (size_t i = 0; i < config->options.n_wan; i++)
		if (!strcmp(config->options.wan[i], url.scope))
			return 0;
	return config_flaw(reader, reader->url_line, "url: %s is no interface of wan",
			   url.scope);
}

static int check_wish(struct config_reader *reader, const struct config_forward *forward)
{
	const struct mapping *m = &forward->change.mapping;
	const struct config *config = reader->config;
	const char *wish = upstream_wish_name((enum upstream_wish)m->upstream);

	if (!mapping_asks_upstream(m) || config_asks_upstream(config))
		return 0;
	if (!config->upstream.enable)
		return config_flaw(reader, forward->upstream_line,
				   "forward %s: upstream = %s, and no router is to be "
				   "asked; upstream { enable = yes } lets natd ask",
				   m->name, wish);
	return config_flaw(reader, forward->upstream_line,
			   "forward %s: upstream = %s, and nothing is to be asked for "
			   "(line %u); policy = chosen lets natd ask",
			   m->name, wish, reader->upstream_line);
}

int config_check_upstream(struct config_reader *reader)
{
	const struct config *config = reader->config;
	int r = check_url(reader);

	for (size_t i = 0; r == 0 && i < config->n_forwards; i++)
		r = check_wish(reader, &config->forwards[i]);
	return r;
}
