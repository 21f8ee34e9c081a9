/*-------------------------------------------------------------------------
 *
 * blob.c
 *	  A tokenizer as one flat block of bytes: compiled once, opened in no time.
 *
 * The block holds tries over bytes instead of hash tables, because greedy
 * longest match walks a trie once where a hash table would be asked for every
 * length.  Node numbers are those of a breadth-first walk, which puts
 * the children of a node side by side.
 *
 * Added tokens are found in text by an Aho-Corasick automaton over the
 * reversed patterns: read from the end of the text, its longest match at a
 * position is the longest token that starts there, and the scan that
 * takes leftmost-longest matches is linear whatever the tokens are.
 *
 * Opening checks the header and that each section lies inside.  What the
 * sections hold is checked where it is used: a node outside the trie has no
 * children, an id outside the table has no token, so a damaged block gives
 * wrong tokens but never a read outside of it.
 *
 * Depends on tokenizer/vocab.h, base/utf8.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/vocab.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define SECTION_ALIGN 8
#define BLOB_ALIGN 64

/* Nodes built between two looks at cancel. */
#define POLL_NODES 8192

static const uint32_t section_item_size[MB_BLOB_SECTIONS] = {
	[MB_BLOB_STRINGS] = 1,
	[MB_BLOB_TOKENS] = sizeof(mb_blob_token),
	[MB_BLOB_MODEL] = sizeof(mb_node),
	[MB_BLOB_MODEL_LABELS] = 1,
	[MB_BLOB_ADDED_TEXTS] = sizeof(mb_node),
	[MB_BLOB_ADDED_TEXTS_LABELS] = 1,
	[MB_BLOB_ADDED] = sizeof(mb_blob_added),
	[MB_BLOB_RAW] = sizeof(mb_node),
	[MB_BLOB_RAW_LABELS] = 1,
	[MB_BLOB_RAW_LINKS] = sizeof(mb_link),
	[MB_BLOB_NORMALIZED] = sizeof(mb_node),
	[MB_BLOB_NORMALIZED_LABELS] = 1,
	[MB_BLOB_NORMALIZED_LINKS] = sizeof(mb_link),
	[MB_BLOB_SINGLE] = sizeof(mb_template_piece),
	[MB_BLOB_PAIR] = sizeof(mb_template_piece),
};

/* A text to put into a trie. */
typedef struct trie_entry
{
	const char *text;
	size_t		length;
	int32_t		value;
} trie_entry;

/* The entries [low, high) that share the first "depth" bytes. */
typedef struct trie_span
{
	uint32_t	low;
	uint32_t	high;
	uint32_t	depth;
	uint32_t	parent;
} trie_span;

typedef struct built_trie
{
	mb_node    *nodes;
	uint8_t    *labels;
	mb_link    *links;			/* NULL when not asked for */
	uint32_t	count;
} built_trie;

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
	built_trie	model;
	built_trie	added_texts;
	mb_blob_added *added;
	built_trie	raw;
	built_trie	normalized;
	mb_blob_header header;
} compiler;

int
mb_text_compare(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t		common = a_length < b_length ? a_length : b_length;
	int			order = common == 0 ? 0 : memcmp(a, b, common);

	if (order != 0)
		return order;
	return a_length < b_length ? -1 : a_length > b_length;
}

int32_t
mb_vocabulary_find(const mb_vocabulary *vocabulary,
				   const char *text, size_t length)
{
	size_t		low = 0;
	size_t		high = vocabulary->token_count;

	while (low < high)
	{
		size_t		middle = low + (high - low) / 2;
		const mb_vocab_token *token = &vocabulary->tokens[middle];
		int			order = mb_text_compare(text, length,
											token->text, token->length);

		if (order == 0)
			return token->id;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return -1;
}

/*
 * Tries
 */

static int
compare_entries(const void *a, const void *b)
{
	const trie_entry *left = a;
	const trie_entry *right = b;
	int			order = mb_text_compare(left->text, left->length,
										right->text, right->length);

	if (order != 0)
		return order;
	return left->value < right->value ? -1 : left->value > right->value;
}

/* Sort; of equal texts only the one with the smallest value stays. */
static size_t
sort_entries(trie_entry *entries, size_t count)
{
	size_t		kept = 0;
	size_t		i;

	if (count == 0)
		return 0;
	qsort(entries, count, sizeof(trie_entry), compare_entries);
	for (i = 1; i < count; i++)
		if (mb_text_compare(entries[kept].text, entries[kept].length,
							entries[i].text, entries[i].length) != 0)
			entries[++kept] = entries[i];
	return kept + 1;
}

/* Give a node its value and its children, one per distinct next byte. */
static void
expand_node(const trie_entry *entries, built_trie *trie, trie_span *spans,
			uint32_t node)
{
	uint32_t	depth = spans[node].depth;
	uint32_t	low = spans[node].low;
	uint32_t	high = spans[node].high;

	if (low < high && entries[low].length == depth)
		trie->nodes[node].value = entries[low++].value;
	trie->nodes[node].first = trie->count;
	while (low < high)
	{
		uint8_t		label = (uint8_t) entries[low].text[depth];
		uint32_t	child = trie->count++;
		uint32_t	next = low + 1;

		while (next < high && (uint8_t) entries[next].text[depth] == label)
			next++;
		memset(&trie->nodes[child], 0, sizeof(mb_node));
		trie->nodes[child].value = -1;
		trie->labels[child] = label;
		spans[child].low = low;
		spans[child].high = next;
		spans[child].depth = depth + 1;
		spans[child].parent = node;
		trie->nodes[node].children++;
		low = next;
	}
}

/* Aho-Corasick: parents come before children, so one pass in order. */
static void
link_node(const built_trie *trie, const trie_span *spans, uint32_t node)
{
	mb_trie		view = {trie->nodes, trie->labels, trie->count};
	uint32_t	fail = 0;

	if (node != 0 && spans[node].parent != 0)
	{
		uint32_t	from = trie->links[spans[node].parent].fail;

		for (;;)
		{
			fail = mb_trie_child(&view, from, trie->labels[node]);
			if (fail != 0 || from == 0)
				break;
			from = trie->links[from].fail;
		}
	}
	trie->links[node].fail = fail;
	trie->links[node].added = trie->nodes[node].value;
	if (trie->links[node].added < 0 && node != 0)
		trie->links[node].added = trie->links[fail].added;
}

/* Entries must be sorted and distinct.  Linear in their bytes. */
static mb_status
build_trie(compiler *c, const trie_entry *entries, size_t count, bool link,
		   built_trie *trie)
{
	size_t		limit = 1;
	size_t		work = 0;		/* nodes and entries since a look at cancel */
	trie_span  *spans;
	uint32_t	node;
	size_t		i;

	for (i = 0; i < count; i++)
		if (!mb_size_add(limit, entries[i].length, &limit))
			return mb_fail_memory(c->err);
	if (limit > UINT32_MAX / sizeof(mb_node))
		return mb_fail(c->err, MB_ERR_LIMIT, "vocabulary is too large");

	trie->nodes = mb_arena_alloc(c->scratch, limit, sizeof(mb_node));
	trie->labels = mb_arena_alloc(c->scratch, limit, 1);
	spans = mb_arena_alloc(c->scratch, limit, sizeof(trie_span));
	trie->links = NULL;
	if (trie->nodes == NULL || trie->labels == NULL || spans == NULL)
		return mb_fail_memory(c->err);
	memset(&trie->nodes[0], 0, sizeof(mb_node));
	trie->labels[0] = 0;
	trie->nodes[0].value = -1;
	trie->count = 1;
	spans[0].low = 0;
	spans[0].high = (uint32_t) count;
	spans[0].depth = 0;
	spans[0].parent = 0;
	for (node = 0; node < trie->count; node++)
	{
		expand_node(entries, trie, spans, node);
		work += 1 + spans[node].high - spans[node].low;
		if (work < POLL_NODES)
			continue;
		work = 0;
		if (mb_cancelled(c->cancel))
			return mb_fail_cancelled(c->err, MB_BUILDING);
	}
	if (!link)
		return MB_OK;

	trie->links = mb_arena_alloc(c->scratch, trie->count, sizeof(mb_link));
	if (trie->links == NULL)
		return mb_fail_memory(c->err);
	for (node = 0; node < trie->count; node++)
	{
		link_node(trie, spans, node);
		if (node % POLL_NODES == 0 && mb_cancelled(c->cancel))
			return mb_fail_cancelled(c->err, MB_BUILDING);
	}
	return MB_OK;
}

static mb_status
build_model_trie(compiler *c)
{
	const mb_vocabulary *v = c->vocabulary;
	trie_entry *entries = mb_arena_alloc(c->scratch, v->token_count,
										 sizeof(trie_entry));
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
	trie_entry *entries = mb_arena_alloc(c->scratch, v->added_count,
										 sizeof(trie_entry));
	size_t		i;

	if (entries == NULL)
		return mb_fail_memory(c->err);
	for (i = 0; i < v->added_count; i++)
	{
		entries[i].text = v->added[i].text;
		entries[i].length = v->added[i].length;
		entries[i].value = v->added[i].id;
	}
	return build_trie(c, entries, sort_entries(entries, v->added_count), false,
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
make_pattern(compiler *c, const mb_added_token *token, trie_entry *entry)
{
	pattern_text pattern = {c->scratch, NULL, 0, 0, c->err};
	const char *source = token->text;
	size_t		length = token->length;
	char	   *reversed;
	size_t		i;

	if (token->normalized)
	{
		mb_status	status = mb_normalize_text(&c->vocabulary->normalizer,
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
build_matcher(compiler *c, bool normalized, built_trie *trie)
{
	const mb_vocabulary *v = c->vocabulary;
	trie_entry *entries = mb_arena_alloc(c->scratch, v->added_count,
										 sizeof(trie_entry));
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
	return build_trie(c, entries, sort_entries(entries, count), true, trie);
}

static mb_status
build_matchers(compiler *c)
{
	const mb_vocabulary *v = c->vocabulary;
	mb_status	status;
	size_t		i;

	c->added = mb_arena_zero(c->scratch, v->added_count, sizeof(mb_blob_added));
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
	size_t		room = v->unk_length + v->decoder_prefix_length;
	size_t		i;

	for (i = 0; i < v->token_count; i++)
	{
		room += v->tokens[i].length;
		if ((uint32_t) v->tokens[i].id >= c->token_count)
			c->token_count = (uint32_t) v->tokens[i].id + 1;
	}
	for (i = 0; i < v->added_count; i++)
	{
		room += v->added[i].length;
		if ((uint32_t) v->added[i].id >= c->token_count)
			c->token_count = (uint32_t) v->added[i].id + 1;
	}
	if (room > UINT32_MAX / 2)
		return mb_fail(c->err, MB_ERR_LIMIT, "vocabulary is too large");

	c->strings = mb_arena_alloc(c->scratch, room, 1);
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
		(v->decoder_cleanup ? MB_BLOB_DECODER_CLEANUP : 0);
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

		offset = (offset + SECTION_ALIGN - 1) / SECTION_ALIGN * SECTION_ALIGN;
		if (!mb_size_multiply(counts[i], section_item_size[i], &bytes) ||
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
				   counts[i] * section_item_size[i]);
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

/*
 * Opening
 */

static mb_status
damaged(mb_error *err, const char *what)
{
	return mb_fail(err, MB_ERR_DATA, "stored tokenizer is damaged: %s", what);
}

static mb_status
check_header(const mb_blob_header *header, size_t size, mb_error *err)
{
	if (memcmp(header->magic, MB_BLOB_MAGIC, sizeof(header->magic)) != 0)
		return damaged(err, "it does not begin with its magic bytes");
	if (header->order != MB_BLOB_ORDER)
		return mb_fail(err, MB_ERR_UNSUPPORTED,
					   "stored tokenizer has the byte order of another kind of machine");
	if (header->version != MB_BLOB_VERSION)
		return mb_fail(err, MB_ERR_UNSUPPORTED,
					   "stored tokenizer has format version %u, but this is version %u",
					   (unsigned) header->version, (unsigned) MB_BLOB_VERSION);
	if (header->size != size)
		return damaged(err, "its size is not the recorded size");
	return MB_OK;
}

static mb_status
check_sections(const mb_blob_header *header, mb_error *err)
{
	/* sections with as many items as a trie has nodes */
	static const struct
	{
		mb_blob_section nodes;
		mb_blob_section others;
	}			per_node[] = {
		{MB_BLOB_MODEL, MB_BLOB_MODEL_LABELS},
		{MB_BLOB_ADDED_TEXTS, MB_BLOB_ADDED_TEXTS_LABELS},
		{MB_BLOB_RAW, MB_BLOB_RAW_LABELS},
		{MB_BLOB_RAW, MB_BLOB_RAW_LINKS},
		{MB_BLOB_NORMALIZED, MB_BLOB_NORMALIZED_LABELS},
		{MB_BLOB_NORMALIZED, MB_BLOB_NORMALIZED_LINKS},
	};
	int			i;

	for (i = 0; i < MB_BLOB_SECTIONS; i++)
	{
		uint32_t	offset = header->sections[i].offset;
		uint32_t	count = header->sections[i].count;

		if (offset % SECTION_ALIGN != 0 || offset < sizeof(mb_blob_header) ||
			offset > header->size ||
			count > (header->size - offset) / section_item_size[i])
			return damaged(err, "a section lies outside");
	}
	for (i = 0; i < (int) (sizeof(per_node) / sizeof(per_node[0])); i++)
		if (header->sections[per_node[i].nodes].count == 0 ||
			header->sections[per_node[i].others].count !=
			header->sections[per_node[i].nodes].count)
			return damaged(err, "its sections do not fit together");
	return MB_OK;
}

static bool
string_inside(const mb_blob_header *header, uint32_t start, uint32_t length)
{
	uint32_t	size = header->sections[MB_BLOB_STRINGS].count;

	return start <= size && length <= size - start;
}

static mb_status
check_fields(const mb_blob_header *header, mb_error *err)
{
	const int32_t ids[] = {header->unk_id, header->cls_id, header->sep_id,
	header->pad_id, header->mask_id};
	uint32_t	count = header->sections[MB_BLOB_TOKENS].count;
	size_t		i;

	if (count > MB_TOKEN_ID_LIMIT)
		return damaged(err, "it has too many tokens");
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (ids[i] < -1 || (ids[i] >= 0 && (uint32_t) ids[i] >= count))
			return damaged(err, "a special token is not in its table");
	if (header->pad_type_id < 0)
		return damaged(err, "its pad type id is negative");
	if (header->continuing != MB_NO_NODE &&
		header->continuing >= header->sections[MB_BLOB_MODEL].count)
		return damaged(err, "the prefix leads outside its trie");
	if (!string_inside(header, header->unk_start, header->unk_length) ||
		!string_inside(header, header->prefix_start, header->prefix_length))
		return damaged(err, "a text lies outside");
	return MB_OK;
}

/* Each sequence exactly once; counts the tokens that the template adds. */
static mb_status
check_template(const mb_template_piece *pieces, uint32_t count, bool pair,
			   uint32_t *added, mb_error *err)
{
	uint32_t	first = 0;
	uint32_t	second = 0;
	uint32_t	i;

	*added = 0;
	for (i = 0; i < count; i++)
	{
		first += pieces[i].kind == MB_TEMPLATE_FIRST;
		second += pieces[i].kind == MB_TEMPLATE_SECOND;
		*added += pieces[i].kind == MB_TEMPLATE_TOKEN;
		if (pieces[i].type < 0 || pieces[i].id < 0)
			return damaged(err, "a template has a negative id");
	}
	if (first != 1 || second != (pair ? 1u : 0u) ||
		first + second + *added != count)
		return damaged(err, "a template is not valid");
	return MB_OK;
}

void
mb_blob_view(const mb_tokenizer *tokenizer, mb_blob *blob)
{
	const char *base = (const char *) tokenizer->blob;
	const mb_blob_header *header = (const void *) base;

#define SECTION(which) ((const void *) (base + header->sections[which].offset))
#define COUNT(which) (header->sections[which].count)

	blob->header = header;
	blob->strings = SECTION(MB_BLOB_STRINGS);
	blob->strings_size = COUNT(MB_BLOB_STRINGS);
	blob->tokens = SECTION(MB_BLOB_TOKENS);
	blob->token_count = COUNT(MB_BLOB_TOKENS);
	blob->model.nodes = SECTION(MB_BLOB_MODEL);
	blob->model.labels = SECTION(MB_BLOB_MODEL_LABELS);
	blob->model.count = COUNT(MB_BLOB_MODEL);
	blob->added_texts.nodes = SECTION(MB_BLOB_ADDED_TEXTS);
	blob->added_texts.labels = SECTION(MB_BLOB_ADDED_TEXTS_LABELS);
	blob->added_texts.count = COUNT(MB_BLOB_ADDED_TEXTS);
	blob->added = SECTION(MB_BLOB_ADDED);
	blob->added_count = COUNT(MB_BLOB_ADDED);
	blob->raw.trie.nodes = SECTION(MB_BLOB_RAW);
	blob->raw.trie.labels = SECTION(MB_BLOB_RAW_LABELS);
	blob->raw.trie.count = COUNT(MB_BLOB_RAW);
	blob->raw.links = SECTION(MB_BLOB_RAW_LINKS);
	blob->normalized.trie.nodes = SECTION(MB_BLOB_NORMALIZED);
	blob->normalized.trie.labels = SECTION(MB_BLOB_NORMALIZED_LABELS);
	blob->normalized.trie.count = COUNT(MB_BLOB_NORMALIZED);
	blob->normalized.links = SECTION(MB_BLOB_NORMALIZED_LINKS);
	blob->single = SECTION(MB_BLOB_SINGLE);
	blob->single_count = COUNT(MB_BLOB_SINGLE);
	blob->pair = SECTION(MB_BLOB_PAIR);
	blob->pair_count = COUNT(MB_BLOB_PAIR);

#undef SECTION
#undef COUNT

	blob->normalizer.clean_text = (header->flags & MB_BLOB_CLEAN_TEXT) != 0;
	blob->normalizer.handle_chinese_chars =
		(header->flags & MB_BLOB_CHINESE_CHARS) != 0;
	blob->normalizer.strip_accents =
		(header->flags & MB_BLOB_STRIP_ACCENTS) != 0;
	blob->normalizer.lowercase = (header->flags & MB_BLOB_LOWERCASE) != 0;
}

static void
describe(const mb_blob_header *header, mb_tokenizer *tokenizer)
{
	tokenizer->vocabulary_size = header->sections[MB_BLOB_TOKENS].count;
	tokenizer->unk_id = header->unk_id;
	tokenizer->cls_id = header->cls_id;
	tokenizer->sep_id = header->sep_id;
	tokenizer->pad_id = header->pad_id;
	tokenizer->mask_id = header->mask_id;
	tokenizer->pad_type_id = header->pad_type_id;
	tokenizer->model_max_length = header->model_max_length;
	tokenizer->truncate_left = (header->flags & MB_BLOB_TRUNCATE_LEFT) != 0;
	tokenizer->pad_left = (header->flags & MB_BLOB_PAD_LEFT) != 0;
	tokenizer->clean_up_spaces = (header->flags & MB_BLOB_CLEAN_UP_SPACES) != 0;
	tokenizer->split_special_tokens =
		(header->flags & MB_BLOB_SPLIT_SPECIAL) != 0;
}

mb_status
mb_tokenizer_open(const void *blob, size_t size, mb_tokenizer *tokenizer,
				  mb_error *err)
{
	const mb_blob_header *header = blob;
	mb_blob		view;
	mb_status	status;

	memset(tokenizer, 0, sizeof(*tokenizer));
	if (blob == NULL || (uintptr_t) blob % SECTION_ALIGN != 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "stored tokenizer is not aligned to %d bytes",
					   SECTION_ALIGN);
	if (size < sizeof(mb_blob_header))
		return damaged(err, "it is shorter than its header");
	status = check_header(header, size, err);
	if (status == MB_OK)
		status = check_sections(header, err);
	if (status == MB_OK)
		status = check_fields(header, err);
	if (status != MB_OK)
		return status;

	tokenizer->blob = blob;
	tokenizer->size = size;
	describe(header, tokenizer);
	mb_blob_view(tokenizer, &view);
	status = check_template(view.single, view.single_count, false,
							&tokenizer->template_single, err);
	if (status == MB_OK)
		status = check_template(view.pair, view.pair_count, true,
								&tokenizer->template_pair, err);
	return status;
}

/*
 * Looking up
 */

const char *
mb_token_text(const mb_tokenizer *tokenizer, int32_t id, size_t *length)
{
	const mb_blob_token *token;
	mb_blob		blob;

	*length = 0;
	mb_blob_view(tokenizer, &blob);
	if (id < 0 || (uint32_t) id >= blob.token_count)
		return NULL;
	token = &blob.tokens[id];
	if (!(token->flags & MB_TOKEN_PRESENT) ||
		!string_inside(blob.header, token->start, token->length))
		return NULL;
	*length = token->length;
	return blob.strings + token->start;
}

/* The token's id in a trie, or -1. */
static int32_t
find_in_trie(const mb_trie *trie, const char *text, size_t length)
{
	uint32_t	node = mb_trie_walk(trie, 0, text, length);

	return node == MB_NO_NODE ? -1 : trie->nodes[node].value;
}

int32_t
mb_token_id(const mb_tokenizer *tokenizer, const char *text, size_t length)
{
	mb_blob		blob;
	int32_t		id;

	mb_blob_view(tokenizer, &blob);
	id = find_in_trie(&blob.added_texts, text, length);
	if (id < 0)
		id = find_in_trie(&blob.model, text, length);
	return id >= 0 && (uint32_t) id < blob.token_count ? id : -1;
}

bool
mb_token_special(const mb_tokenizer *tokenizer, int32_t id)
{
	mb_blob		blob;

	mb_blob_view(tokenizer, &blob);
	return id >= 0 && (uint32_t) id < blob.token_count &&
		(blob.tokens[id].flags & MB_TOKEN_SPECIAL) != 0;
}
