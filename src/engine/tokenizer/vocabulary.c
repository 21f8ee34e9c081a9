/*-------------------------------------------------------------------------
 *
 * vocabulary.c
 *	  The table of a model's tokens: filled, sorted by text, searched.
 *
 * Depends on tokenizer/vocabulary.h, tokenizer/trie.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "tokenizer/trie.h"

mb_status
mb_vocabulary_begin(mb_vocabulary *vocabulary, size_t count, const char *file,
					mb_arena *arena, mb_error *err)
{
	if (count == 0)
		return mb_fail(err, MB_ERR_DATA, "\"%s\" has no tokens", file);
	if (count > MB_TOKEN_ID_LIMIT)
		return mb_fail(err, MB_ERR_LIMIT,
					   "\"%s\" has %zu tokens, but at most %d are allowed",
					   file, count, MB_TOKEN_ID_LIMIT);
	vocabulary->tokens = mb_arena_alloc(arena, count, sizeof(mb_vocab_token));
	if (vocabulary->tokens == NULL)
		return mb_fail_memory(err);
	vocabulary->token_count = count;
	return MB_OK;
}

mb_status
mb_vocabulary_set(mb_vocabulary *vocabulary, size_t position,
				  const char *text, size_t length, const char *file,
				  mb_error *err)
{
	mb_vocab_token *token = &vocabulary->tokens[position];

	if (length > MB_TOKEN_LENGTH_LIMIT)
		return mb_fail(err, MB_ERR_LIMIT,
					   "token %zu in \"%s\" is too long", position, file);
	token->text = text;
	token->length = length;
	token->id = (int32_t) position;
	return MB_OK;
}

static int
compare_tokens(const void *a, const void *b)
{
	const mb_vocab_token *left = a;
	const mb_vocab_token *right = b;
	int			order = mb_text_compare(left->text, left->length,
										right->text, right->length);

	/* by position, so that the last of equal texts is known */
	if (order != 0)
		return order;
	return left->id < right->id ? -1 : left->id > right->id;
}

mb_status
mb_vocabulary_sort(mb_vocabulary *vocabulary, const int32_t *ids,
				   const mb_cancel *cancel, mb_error *err)
{
	mb_vocab_token *tokens = vocabulary->tokens;
	size_t		count = vocabulary->token_count;
	size_t		kept = 0;
	size_t		i;

	if (mb_cancelled(cancel))
		return mb_fail_cancelled(err, "building the tokenizer");
	qsort(tokens, count, sizeof(mb_vocab_token), compare_tokens);
	for (i = 1; i < count; i++)
	{
		if (mb_text_compare(tokens[kept].text, tokens[kept].length,
							tokens[i].text, tokens[i].length) != 0)
			kept++;
		tokens[kept] = tokens[i];
	}
	vocabulary->token_count = kept + 1;
	if (ids != NULL)
		for (i = 0; i <= kept; i++)
			tokens[i].id = ids[tokens[i].id];
	return MB_OK;
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

int32_t
mb_vocabulary_id(const mb_vocabulary *vocabulary,
				 const char *text, size_t length)
{
	size_t		i;

	for (i = 0; i < vocabulary->added_count; i++)
		if (vocabulary->added[i].length == length &&
			memcmp(vocabulary->added[i].text, text, length) == 0)
			return vocabulary->added[i].id;
	return mb_vocabulary_find(vocabulary, text, length);
}
