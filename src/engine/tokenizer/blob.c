/*-------------------------------------------------------------------------
 *
 * blob.c
 *	  Opening a stored tokenizer, and looking up its tokens.
 *
 * Depends on tokenizer/blob.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/blob.h"

#include <string.h>

const uint32_t mb_blob_item_sizes[MB_BLOB_SECTIONS] = {
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

		if (offset % MB_BLOB_ALIGN != 0 || offset < sizeof(mb_blob_header) ||
			offset > header->size ||
			count > (header->size - offset) / mb_blob_item_sizes[i])
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
	tokenizer->clean_up_spaces =
		(header->flags & MB_BLOB_CLEAN_UP_SPACES) != 0;
	tokenizer->split_special_tokens =
		(header->flags & MB_BLOB_SPLIT_SPECIAL) != 0;
	tokenizer->no_types = (header->flags & MB_BLOB_NO_TYPES) != 0;
}

mb_status
mb_tokenizer_open(const void *blob, size_t size, mb_tokenizer *tokenizer,
				  mb_error *err)
{
	const mb_blob_header *header = blob;
	mb_blob		view;
	mb_status	status;

	memset(tokenizer, 0, sizeof(*tokenizer));
	if (blob == NULL || (uintptr_t) blob % MB_BLOB_ALIGN != 0)
		return mb_fail(err, MB_ERR_ARGUMENT,
					   "stored tokenizer is not aligned to %d bytes",
					   MB_BLOB_ALIGN);
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
