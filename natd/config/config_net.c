/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * config_net - ports, outbound, snat: which ports are chosen, how hosts leave
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "natd/config/config_parse.h"

int config_ranges(const struct config_block *block, const char *what,
		  struct port_range *ret, size_t *ret_n, size_t max)
{
	const struct config_word *word;

	for (unsigned int i = 0; (word = config_block_word(block, what, i)); i++) {
		if (*ret_n == max)
			return config_flaw(block->reader, word->line,
					   "%s: more than %zu ranges", what, max);
		if (port_range_parse(word->text, &ret[*ret_n]) < 0)
			return config_flaw(block->reader, word->line,
					   "%s = \"%.64s\" is no range of ports; it is "
					   "like \"49152-65535\", from 1 to 65535",
					   what, word->text);
		(*ret_n)++;
	}
	return 0;
}

int config_prefix(const struct config_block *block, const struct config_word *word,
		  const char *what, struct prefix *ret)
{
	int r = prefix_parse(word->text, ret);

	if (r == -EDOM)
		return config_flaw(block->reader, word->line,
				   "%s = \"%.64s\": bits behind the length are set; a "
				   "prefix is like \"192.168.1.0/24\"",
				   what, word->text);
	if (r < 0)
		return config_flaw(block->reader, word->line,
				   "%s = \"%.64s\" is no prefix; it is like "
				   "\"192.168.1.0/24\" or \"2001:db8::/32\"",
				   what, word->text);
	return 0;
}

int config_prefixes(const struct config_block *block, const char *what,
		    struct prefix *ret, size_t *ret_n, size_t max)
{
	const struct config_word *word;
	int r;

	for (unsigned int i = 0; (word = config_block_word(block, what, i)); i++) {
		if (*ret_n == max)
			return config_flaw(block->reader, word->line,
					   "%s: more than %zu prefixes", what, max);
		r = config_prefix(block, word, what, &ret[*ret_n]);
		if (r < 0)
			return r;
		(*ret_n)++;
	}
	return 0;
}

/* Ranges that overlap would be counted twice when the pool's size is told. */
static int refuse_overlaps(const struct config_block *block, const char *what,
			   const struct port_range *ranges, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < i; j++)
			if (ranges[i].first <= ranges[j].last &&
			    ranges[j].first <= ranges[i].last)
				return config_flaw(
					block->reader,
					config_block_word(block, what, (unsigned int)i)
						->line,
					"%s: %u-%u overlaps %u-%u", what, ranges[i].first,
					ranges[i].last, ranges[j].first, ranges[j].last);
	return 0;
}

int config_take_ports(const struct config_block *block)
{
	struct config *config = block->reader->config;
	int r;

	r = config_once(block, "ports", &block->reader->ports_line);
	if (r == 0)
		r = config_ranges(block, "pool", config->pool, &config->n_pool,
				  CONFIG_RANGES_MAX);
	if (r == 0)
		r = refuse_overlaps(block, "pool", config->pool, config->n_pool);
	if (r == 0)
		r = config_ranges(block, "reserved", config->reserved,
				  &config->n_reserved, CONFIG_RANGES_MAX);
	return r;
}

int config_take_outbound(const struct config_block *block)
{
	static const char *const words[] = { "none", "udp", "all", NULL };
	struct config *config = block->reader->config;
	unsigned int symmetry = SYMMETRY_UDP;
	int r;

	r = config_once(block, "outbound", &block->reader->outbound_line);
	if (r == 0)
		r = config_choice(block->reader, config_block_word(block, "symmetry", 0),
				  "symmetry", words, &symmetry);
	config->options.symmetry = (enum symmetry)symmetry;
	if (r == 0)
		r = config_prefixes(block, "untranslated", config->untranslated,
				    &config->n_untranslated, CONFIG_PREFIXES_MAX);
	return r;
}

/* ------------------------------------------------------------------ snat */

static int take_to(const struct config_block *block, struct snat *snat)
{
	const struct config_word *word = config_block_word(block, "to", 0);
	const char *flaw;

	if (address_parse(word->text, &snat->to) < 0)
		return config_flaw(block->reader, word->line,
				   "to = \"%.64s\" is no address; it is an external one, "
				   "like \"203.0.113.7\"",
				   word->text);
	flaw = address_unusable(&snat->to);
	if (flaw)
		return config_flaw(block->reader, word->line,
				   "to = \"%.64s\": nobody can leave under %s",
				   word->text, flaw);
	if (address_is_ipv4(&snat->to) != prefix_is_ipv4(&snat->source))
		return config_flaw(block->reader, word->line,
				   "to = \"%.64s\" and source are of two families",
				   word->text);
	return 0;
}

static int refuse_same(const struct config_block *block, const struct snat *snat)
{
	const struct config *config = block->reader->config;

	for (size_t i = 0; i < config->n_snat; i++) {
		const struct snat *other = &config->snat[i];

		if (prefix_equal(&other->source, &snat->source))
			return config_flaw(block->reader, block->line,
					   "snat %s: its source has a snat block already "
					   "(line %u)",
					   block->title, block->reader->snat_lines[i]);
		if (other->one_to_one && snat->one_to_one &&
		    address_equal(&other->to, &snat->to))
			return config_flaw(block->reader, block->line,
					   "snat %s: its address belongs to one host "
					   "already (line %u)",
					   block->title, block->reader->snat_lines[i]);
	}
	return 0;
}

static int take_snat(const struct config_block *block, struct snat *snat)
{
	const struct config_word *source = config_block_word(block, "source", 0);
	const struct config_word *to = config_block_word(block, "to", 0);
	int r;

	if (!source || !to)
		return config_flaw(block->reader, block->line, "snat %s lacks \"%s\"",
				   block->title, source ? "to" : "source");
	r = config_prefix(block, source, "source", &snat->source);
	if (r == 0)
		r = take_to(block, snat);
	if (r == 0)
		r = config_yes_no(block, "one-to-one", &snat->one_to_one);
	if (r == 0 && snat->one_to_one && snat->source.len != 128)
		return config_flaw(block->reader, source->line,
				   "source = \"%.64s\": one-to-one = yes is for one host",
				   source->text);
	return r;
}

int config_take_snat(const struct config_block *block)
{
	struct config_reader *reader = block->reader;
	struct config *config = reader->config;
	struct snat snat = { 0 };
	int r;

	if (config->n_snat == SNAT_MAX)
		return config_flaw(reader, block->line, "more than %d snat blocks",
				   SNAT_MAX);
	r = take_snat(block, &snat);
	if (r == 0)
		r = refuse_same(block, &snat);
	if (r < 0)
		return r;
	reader->snat_lines[config->n_snat] = block->line;
	config->snat[config->n_snat++] = snat;
	return 0;
}
