/*-------------------------------------------------------------------------
 *
 * decode.c
 *	  Token ids back to text (spec tokenizer.md 7).
 *
 * Every replacement makes the text shorter, so all of them work in place, each
 * going over the text once, from the left.
 *
 * Depends on tokenizer/blob.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/blob.h"

#include <string.h>

/* Ids, or bytes of text, between two polls of cancel. */
#define POLL_IDS 16384
#define POLL_BYTES 65536

typedef struct replacement
{
	const char *from;
	const char *to;
	bool		decoder_only;	/* not in clean_up_tokenization_spaces */
} replacement;

/* In this order, each over the whole text. */
static const replacement replacements[] = {
	{" .", ".", false},
	{" ?", "?", false},
	{" !", "!", false},
	{" ,", ",", false},
	{" ' ", "'", false},
	{" n't", "n't", false},
	{" 'm", "'m", false},
	{" do not", " don't", true},
	{" 's", "'s", false},
	{" 've", "'ve", false},
	{" 're", "'re", false},
};

/*
 * Replace without overlap, from the left; *length becomes the new length.
 * False when cancelled.
 */
static bool
replace(char *text, size_t *length, const char *from, const char *to,
		const mb_cancel *cancel)
{
	size_t		from_length = strlen(from);
	size_t		to_length = strlen(to);
	size_t		out = 0;
	size_t		i = 0;
	size_t		next_poll = POLL_BYTES;

	while (i < *length)
	{
		size_t		left = *length - i;
		size_t		span = left > POLL_BYTES ? POLL_BYTES : left;
		const char *found = memchr(text + i, from[0], span);
		size_t		plain = found == NULL ? span : (size_t) (found - text) - i;

		if (i >= next_poll)
		{
			next_poll = i + POLL_BYTES;
			if (mb_cancelled(cancel))
				return false;
		}
		if (plain > 0)
		{
			memmove(text + out, text + i, plain);
			out += plain;
			i += plain;
		}
		if (found == NULL)
			continue;
		if (*length - i >= from_length &&
			memcmp(text + i, from, from_length) == 0)
		{
			memcpy(text + out, to, to_length);
			out += to_length;
			i += from_length;
		}
		else
			text[out++] = text[i++];
	}
	*length = out;
	return true;
}

static bool
clean_up(char *text, size_t *length, bool decoder, const mb_cancel *cancel)
{
	size_t		i;

	for (i = 0; i < sizeof(replacements) / sizeof(replacements[0]); i++)
		if ((decoder || !replacements[i].decoder_only) &&
			!replace(text, length, replacements[i].from, replacements[i].to,
					 cancel))
			return false;
	return true;
}

/* The text of a token that is to appear, or NULL. */
static const char *
shown_token(const mb_tokenizer *tokenizer, int32_t id, bool skip_special,
			size_t *length)
{
	if (skip_special && mb_token_special(tokenizer, id))
		return NULL;
	return mb_token_text(tokenizer, id, length);
}

/* Bytes that the text can have at most: tokens, and a space before each. */
static mb_status
measure(const mb_tokenizer *tokenizer, const int32_t *ids, size_t count,
		bool skip_special, const mb_cancel *cancel, size_t *size,
		mb_error *err)
{
	size_t		i;

	*size = 1;
	for (i = 0; i < count; i++)
	{
		size_t		length;

		if ((i + 1) % POLL_IDS == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, "decoding");
		if (shown_token(tokenizer, ids[i], skip_special, &length) != NULL &&
			!mb_size_add(*size, length + 1, size))
			return mb_fail(err, MB_ERR_LIMIT,
						   "text of the tokens is too long");
	}
	return MB_OK;
}

/* Append one token at out + *at; false when cancelled. */
static bool
append_token(const mb_blob *blob, char *out, size_t *at, bool first,
			 const char *token, size_t length, const mb_cancel *cancel)
{
	const char *prefix = blob->strings + blob->header->prefix_start;
	size_t		prefix_length = blob->header->prefix_length;
	size_t		start = *at;

	if (!first)
	{
		if (length >= prefix_length &&
			memcmp(token, prefix, prefix_length) == 0)
		{
			token += prefix_length;
			length -= prefix_length;
		}
		else
			out[(*at)++] = ' ';
	}
	memcpy(out + *at, token, length);
	*at += length;
	if (blob->header->flags & MB_BLOB_DECODER_CLEANUP)
	{
		length = *at - start;
		if (!clean_up(out + start, &length, true, cancel))
			return false;
		*at = start + length;
	}
	return true;
}

mb_status
mb_decode(const mb_tokenizer *tokenizer, const int32_t *ids, size_t count,
		  bool skip_special_tokens, bool clean_up_spaces, mb_arena *arena,
		  const mb_cancel *cancel, char **text, size_t *length, mb_error *err)
{
	mb_blob		blob;
	size_t		size;
	size_t		at = 0;
	size_t		work = 0;		/* bytes and ids since the last poll */
	bool		first = true;
	mb_status	status;
	char	   *out;
	size_t		i;

	mb_blob_view(tokenizer, &blob);
	if (mb_cancelled(cancel))
		return mb_fail_cancelled(err, "decoding");
	status = measure(tokenizer, ids, count, skip_special_tokens, cancel, &size,
					 err);
	if (status != MB_OK)
		return status;
	out = mb_arena_alloc(arena, size, 1);
	if (out == NULL)
		return mb_fail_memory(err);
	for (i = 0; i < count; i++)
	{
		size_t		token_length = 0;
		const char *token = shown_token(tokenizer, ids[i],
										skip_special_tokens, &token_length);

		work += token_length + 1;
		if (work >= POLL_BYTES)
		{
			work = 0;
			if (mb_cancelled(cancel))
				return mb_fail_cancelled(err, "decoding");
		}
		if (token == NULL)
			continue;
		if (!append_token(&blob, out, &at, first, token, token_length, cancel))
			return mb_fail_cancelled(err, "decoding");
		first = false;
	}
	if (clean_up_spaces && !clean_up(out, &at, false, cancel))
		return mb_fail_cancelled(err, "decoding");
	status = mb_utf8_check(out, at, cancel);
	if (status == MB_ERR_CANCELLED)
		return mb_fail_cancelled(err, "decoding");
	if (status != MB_OK)
		return mb_fail(err, MB_ERR_DATA,
					   "stored tokenizer is damaged: a token is not valid UTF-8");
	out[at] = '\0';
	*text = out;
	*length = at;
	return MB_OK;
}

mb_status
mb_join_tokens(const mb_tokenizer *tokenizer, const mb_document *tokens,
			   size_t count, mb_arena *arena, const mb_cancel *cancel,
			   char **text, size_t *length, mb_error *err)
{
	mb_blob		blob;
	size_t		size = 1;
	size_t		at = 0;
	size_t		i;

	mb_blob_view(tokenizer, &blob);
	for (i = 0; i < count; i++)
	{
		if ((i + 1) % POLL_IDS == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, "decoding");
		if (!mb_size_add(size, 1, &size) ||
			!mb_size_add(size, tokens[i].length, &size))
			return mb_fail(err, MB_ERR_LIMIT, "text of the tokens is too long");
	}
	*text = mb_arena_alloc(arena, size, 1);
	if (*text == NULL)
		return mb_fail_memory(err);
	for (i = 0; i < count; i++)
	{
		if ((i + 1) % POLL_IDS == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, "decoding");
		if (!append_token(&blob, *text, &at, i == 0, tokens[i].text,
						  tokens[i].length, cancel))
			return mb_fail_cancelled(err, "decoding");
	}
	(*text)[at] = '\0';
	*length = at;
	return MB_OK;
}
