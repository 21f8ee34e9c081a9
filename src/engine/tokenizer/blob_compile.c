/*-------------------------------------------------------------------------
 *
 * blob_compile.c
 *	  From a vocabulary to the block of bytes that blob.h describes.
 *
 * Start at mb_blob_compile(), at the end.
 *
 * Depends on tokenizer/blob.h, base/utf8.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/blob.h"

#include <string.h>

#include "base/utf8.h"

/* The block begins and ends at multiples of this. */
#define BLOB_ALIGN 64

typedef struct compiler
{
	const mb_vocabulary *vocabulary;
	mb_arena   *scratch;
	const mb_cancel *cancel;
	mb_error   *err;

	char	   *strings;
	size_t		strings_size;
	mb_blob_token *tokens;
	uint32_t	token_count;
	mb_built_trie	model;
	mb_built_trie	added_texts;
	mb_blob_added *added;
	mb_built_trie	raw;
	mb_built_trie	normalized;
	mb_blob_header header;
} compiler;

/*
 * Texts of tokens
 */

static mb_status
build_trie(compiler *c, const mb_trie_entry *entries, size_t count, bool link,
		   mb_built_trie *trie)
{
	return mb_trie_build(entries, count, link, c->scratch, c->cancel, trie,
						 c->err);
}

static mb_status
build_model_trie(compiler *c)
{
	const mb_vocabulary *v = c->vocabulary;
	mb_trie_entry *entries = mb_arena_alloc(c->scratch, v->token_count,
											sizeof(mb_trie_entry));
	mb_status	status;
	mb_trie		view;
	size_t		i;

	if (entries == NULL)
		return mb_fail_memory(c->err);
	for (i = 0; i < v->token_count; i++)
	{
		entries[i].text = v->tokens[i].text;
		entries[i].length = v->tokens[i].length;
		entries[i].value = v->tokens[i].id;
	}
	status = build_trie(c, entries, v->token_count, false, &c->model);
	if (status != MB_OK)
		return status;
	view.nodes = c->model.nodes;
	view.labels = c->model.labels;
	view.count = c->model.count;
	c->header.continuing = mb_trie_walk(&view, 0, v->prefix, v->prefix_length);
	return MB_OK;
}

static mb_status
build_added_texts(compiler *c)
{
	const mb_vocabulary *v = c->vocabulary;
	mb_trie_entry *entries = mb_arena_alloc(c->scratch, v->added_count,
											sizeof(mb_trie_entry));
	size_t		i;

	if (entries == NULL)
		return mb_fail_memory(c->err);
	for (i = 0; i < v->added_count; i++)
	{
		entries[i].text = v->added[i].text;
		entries[i].length = v->added[i].length;
		entries[i].value = v->added[i].id;
	}
	return build_trie(c, entries, mb_trie_sort(entries, v->added_count), false,
					  &c->added_texts);
}

/*
 * Patterns of added tokens
 */

/* A growing text: what the normaliser makes of a token. */
typedef struct pattern_text
{
	mb_arena   *scratch;
	char	   *text;
	size_t		length;
	size_t		capacity;
	mb_error   *err;
} pattern_text;

static mb_status
append_pattern(void *context, const mb_char *chars, size_t count)
{
	pattern_text *pattern = context;
	size_t		i;

	if (pattern->capacity - pattern->length < 4 * count)
	{
		size_t		capacity = 2 * pattern->capacity + 4 * count;
		char	   *text = mb_arena_alloc(pattern->scratch, capacity, 1);

		if (text == NULL)
			return mb_fail_memory(pattern->err);
		if (pattern->length > 0)
			memcpy(text, pattern->text, pattern->length);
		pattern->text = text;
		pattern->capacity = capacity;
	}
	for (i = 0; i < count; i++)
		pattern->length += mb_utf8_put(pattern->text + pattern->length,
									   chars[i].code);
	return MB_OK;
}

/* The text that a token is found by, reversed. */
static mb_status
make_pattern(compiler *c, const mb_added_token *token, mb_trie_entry *entry)
{
	pattern_text pattern = {c->scratch, NULL, 0, 0, c->err};
	const char *source = token->text;
	size_t		length = token->length;
	char	   *reversed;
	size_t		i;

	if (token->normalized)
	{
		mb_status	status = mb_normalize_text(&c->vocabulary->added_normalizer,
											   token->text, token->length, 0,
											   c->scratch, c->cancel,
											   append_pattern, &pattern,
											   c->err);

		if (status != MB_OK)
			return status;
		source = pattern.text;
		length = pattern.length;
	}
	reversed = mb_arena_alloc(c->scratch, length, 1);
	if (reversed == NULL)
		return mb_fail_memory(c->err);
	for (i = 0; i < length; i++)
		reversed[i] = source[length - 1 - i];
	entry->text = reversed;
	entry->length = length;
	return MB_OK;
}

/*
 * The automaton of one group (spec tokenizer.md 3).  When two tokens normalise
 * to the same pattern, special tokens come first, then the order of adding: a
 * smaller value wins in sort_entries, so values are given in that order.  A
 * token of which the normaliser leaves nothing is never found.
 */
static mb_status
build_matcher(compiler *c, bool normalized, mb_built_trie *trie)
{
	const mb_vocabulary *v = c->vocabulary;
	mb_trie_entry *entries = mb_arena_alloc(c->scratch, v->added_count,
											sizeof(mb_trie_entry));
	size_t		count = 0;
	size_t		i;

	if (entries == NULL)
		return mb_fail_memory(c->err);
	for (i = 0; i < v->added_count; i++)
	{
		mb_status	status;

		if (v->added[i].normalized != normalized)
			continue;
		status = make_pattern(c, &v->added[i], &entries[count]);
		if (status != MB_OK)
			return status;
		c->added[i].length = (uint32_t) entries[count].length;
		entries[count].value = (int32_t) i;
		if (entries[count].length > 0)
			count++;
	}
	return build_trie(c, entries, mb_trie_sort(entries, count), true, trie);
}

static mb_status
build_matchers(compiler *c)
{
	const mb_vocabulary *v = c->vocabulary;
	mb_status	status;
	size_t		i;

	c->added = mb_arena_zero(c->scratch, v->added_count,
							 sizeof(mb_blob_added));
	if (c->added == NULL)
		return mb_fail_memory(c->err);
	for (i = 0; i < v->added_count; i++)
	{
		const mb_added_token *token = &v->added[i];

		c->added[i].id = token->id;
		c->added[i].flags = (token->single_word ? MB_ADDED_SINGLE_WORD : 0) |
			(token->lstrip ? MB_ADDED_LSTRIP : 0) |
			(token->rstrip ? MB_ADDED_RSTRIP : 0) |
			(token->special ? MB_ADDED_SPECIAL : 0);
	}
	status = build_matcher(c, false, &c->raw);
	if (status == MB_OK)
		status = build_matcher(c, true, &c->normalized);
	return status;
}

/*
 * Strings and the table of tokens
 */

static uint32_t
add_string(compiler *c, const char *text, size_t length)
{
	uint32_t	start = (uint32_t) c->strings_size;

	if (length > 0)
		memcpy(c->strings + c->strings_size, text, length);
	c->strings_size += length;
	return start;
}

static void
set_token(compiler *c, int32_t id, const char *text, size_t length,
		  uint8_t flags)
{
	mb_blob_token *token = &c->tokens[id];

	token->start = add_string(c, text, length);
	token->length = (uint32_t) length;
	token->flags = flags;
}

/* Added tokens come last: theirs is the text of an id that both have. */
static mb_status
build_tokens(compiler *c)
{
	const mb_vocabulary *v = c->vocabulary;
	size_t		size = v->unk_length + v->decoder_prefix_length;
	size_t		i;

	for (i = 0; i < v->token_count; i++)
	{
		size += v->tokens[i].length;
		if ((uint32_t) v->tokens[i].id >= c->token_count)
			c->token_count = (uint32_t) v->tokens[i].id + 1;
	}
	for (i = 0; i < v->added_count; i++)
	{
		size += v->added[i].length;
		if ((uint32_t) v->added[i].id >= c->token_count)
			c->token_count = (uint32_t) v->added[i].id + 1;
	}
	if (size > UINT32_MAX / 2)
		return mb_fail(c->err, MB_ERR_LIMIT, "vocabulary is too large");

	c->strings = mb_arena_alloc(c->scratch, size, 1);
	c->tokens = mb_arena_zero(c->scratch, c->token_count,
							  sizeof(mb_blob_token));
	if (c->strings == NULL || c->tokens == NULL)
		return mb_fail_memory(c->err);
	for (i = 0; i < v->token_count; i++)
		set_token(c, v->tokens[i].id, v->tokens[i].text, v->tokens[i].length,
				  MB_TOKEN_PRESENT);
	for (i = 0; i < v->added_count; i++)
		set_token(c, v->added[i].id, v->added[i].text, v->added[i].length,
				  MB_TOKEN_PRESENT |
				  (v->added[i].special ? MB_TOKEN_SPECIAL : 0));
	c->header.unk_start = add_string(c, v->unk_text, v->unk_length);
	c->header.unk_length = (uint32_t) v->unk_length;
	c->header.prefix_start = add_string(c, v->decoder_prefix,
										v->decoder_prefix_length);
	c->header.prefix_length = (uint32_t) v->decoder_prefix_length;
	return MB_OK;
}

/*
 * Putting it together
 */

static void
fill_header(compiler *c)
{
	const mb_vocabulary *v = c->vocabulary;
	mb_blob_header *header = &c->header;

	memcpy(header->magic, MB_BLOB_MAGIC, sizeof(header->magic));
	header->version = MB_BLOB_VERSION;
	header->order = MB_BLOB_ORDER;
	header->model_max_length = v->model_max_length;
	header->unk_id = mb_vocabulary_find(v, v->unk_text, v->unk_length);
	header->cls_id = v->cls_id;
	header->sep_id = v->sep_id;
	header->pad_id = v->pad_id;
	header->mask_id = v->mask_id;
	header->pad_type_id = v->pad_type_id;
	header->max_word_chars = v->max_word_chars;
	header->flags =
		(v->normalizer.clean_text ? MB_BLOB_CLEAN_TEXT : 0) |
		(v->normalizer.handle_chinese_chars ? MB_BLOB_CHINESE_CHARS : 0) |
		(v->normalizer.strip_accents ? MB_BLOB_STRIP_ACCENTS : 0) |
		(v->normalizer.lowercase ? MB_BLOB_LOWERCASE : 0) |
		(v->truncate_left ? MB_BLOB_TRUNCATE_LEFT : 0) |
		(v->pad_left ? MB_BLOB_PAD_LEFT : 0) |
		(v->clean_up_spaces ? MB_BLOB_CLEAN_UP_SPACES : 0) |
		(v->split_special_tokens ? MB_BLOB_SPLIT_SPECIAL : 0) |
		(v->decoder_cleanup ? MB_BLOB_DECODER_CLEANUP : 0) |
		(v->no_types ? MB_BLOB_NO_TYPES : 0);
}

/* Where the sections go; false when the block would be too large. */
static bool
lay_out(compiler *c, const size_t *counts, size_t *size)
{
	size_t		offset = sizeof(mb_blob_header);
	int			i;

	for (i = 0; i < MB_BLOB_SECTIONS; i++)
	{
		size_t		bytes;

		offset = (offset + MB_BLOB_ALIGN - 1) / MB_BLOB_ALIGN * MB_BLOB_ALIGN;
		if (!mb_size_multiply(counts[i], mb_blob_item_sizes[i], &bytes) ||
			bytes > UINT32_MAX - BLOB_ALIGN - offset)
			return false;
		c->header.sections[i].offset = (uint32_t) offset;
		c->header.sections[i].count = (uint32_t) counts[i];
		offset += bytes;
		if (offset > UINT32_MAX - 2 * BLOB_ALIGN)
			return false;
	}
	*size = (offset + BLOB_ALIGN - 1) / BLOB_ALIGN * BLOB_ALIGN;
	c->header.size = (uint32_t) *size;
	return true;
}

static mb_status
assemble(compiler *c, mb_arena *arena, void **blob, size_t *size)
{
	const mb_vocabulary *v = c->vocabulary;
	const void *data[MB_BLOB_SECTIONS] = {
		c->strings, c->tokens, c->model.nodes, c->model.labels,
		c->added_texts.nodes, c->added_texts.labels, c->added,
		c->raw.nodes, c->raw.labels, c->raw.links,
		c->normalized.nodes, c->normalized.labels, c->normalized.links,
		v->single, v->pair
	};
	const size_t counts[MB_BLOB_SECTIONS] = {
		c->strings_size, c->token_count, c->model.count, c->model.count,
		c->added_texts.count, c->added_texts.count, v->added_count,
		c->raw.count, c->raw.count, c->raw.count,
		c->normalized.count, c->normalized.count, c->normalized.count,
		v->single_count, v->pair_count
	};
	char	   *bytes;
	int			i;

	if (!lay_out(c, counts, size))
		return mb_fail(c->err, MB_ERR_LIMIT, "vocabulary is too large");
	bytes = mb_arena_alloc(arena, *size + BLOB_ALIGN, 1);
	if (bytes == NULL)
		return mb_fail_memory(c->err);
	bytes += (BLOB_ALIGN - (uintptr_t) bytes % BLOB_ALIGN) % BLOB_ALIGN;
	memset(bytes, 0, *size);
	memcpy(bytes, &c->header, sizeof(mb_blob_header));
	for (i = 0; i < MB_BLOB_SECTIONS; i++)
		if (counts[i] > 0)
			memcpy(bytes + c->header.sections[i].offset, data[i],
				   counts[i] * mb_blob_item_sizes[i]);
	*blob = bytes;
	return MB_OK;
}

mb_status
mb_blob_compile(const mb_vocabulary *vocabulary, mb_arena *arena,
				mb_arena *scratch, const mb_cancel *cancel,
				void **blob, size_t *size, mb_error *err)
{
	compiler	c;
	mb_status	status;

	memset(&c, 0, sizeof(c));
	c.vocabulary = vocabulary;
	c.scratch = scratch;
	c.cancel = cancel;
	c.err = err;
	status = build_model_trie(&c);
	if (status == MB_OK)
		status = build_added_texts(&c);
	if (status == MB_OK)
		status = build_matchers(&c);
	if (status == MB_OK)
		status = build_tokens(&c);
	if (status != MB_OK)
		return status;
	fill_header(&c);
	return assemble(&c, arena, blob, size);
}
