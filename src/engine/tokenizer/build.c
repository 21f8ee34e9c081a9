/*-------------------------------------------------------------------------
 *
 * build.c
 *	  From a model's tokenizer files to a block of bytes
 *	  (spec tokenizer.md 10, formats.md 5, 6).
 *
 * tokenizer.json wins over vocab.txt; tokenizer_config.json and the class that
 * it names (class.c) then change the normaliser and add tokens, as
 * from_pretrained() of the Python classes does.
 * The steps:
 *
 *	1. the model's tokens, from either file (here or tokenizer_json.c);
 *	2. options of the components of tokenizer.json (tokenizer_json.c);
 *	3. options of tokenizer_config.json, which win (here);
 *	4. added tokens (added_tokens.c);
 *	5. the template, which needs the ids (template.c).
 *
 * Then blob_compile.c makes the block.  Start at mb_tokenizer_build(), at the
 * end.
 *
 * Depends on tokenizer/tokenizer.h, tokenizer/blob.h, tokenizer/reader.h,
 * tokenizer/text.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tokenizer/tokenizer.h"

#include <string.h>

#include "tokenizer/blob.h"
#include "tokenizer/reader.h"
#include "tokenizer/text.h"

/* transformers: a model_max_length above this means "none" (6.1) */
#define LARGE_LENGTH 1e20

/*
 * Step 1 without tokenizer.json
 */

static size_t
count_lines(const char *text, size_t length)
{
	size_t		lines = 0;
	const char *end = text + length;

	while (text < end)
	{
		const char *newline = memchr(text, '\n', (size_t) (end - text));

		lines++;
		if (newline == NULL)
			break;
		text = newline + 1;
	}
	return lines;
}

/* One token a line, its id the number of the line; "\r\n" is accepted. */
static mb_status
read_vocab_txt(mb_reader *r)
{
	mb_vocabulary *v = &r->vocabulary;
	const char *text = r->files->vocab_txt.text;
	size_t		length = r->files->vocab_txt.length;
	const char *end = text + length;
	mb_status	status;
	size_t		line;

	status = mb_utf8_check(text, length, r->cancel);
	if (status == MB_ERR_CANCELLED)
		return mb_fail_cancelled(r->err, "building the tokenizer");
	if (status != MB_OK)
		return mb_fail(r->err, MB_ERR_DATA, "\"%s\" is not valid UTF-8",
					   MB_VOCAB_TXT);
	status = mb_vocabulary_begin(v, count_lines(text, length), MB_VOCAB_TXT,
								 r->scratch, r->err);
	for (line = 0; status == MB_OK && text < end; line++)
	{
		const char *newline = memchr(text, '\n', (size_t) (end - text));
		const char *stop = newline != NULL ? newline : end;
		const char *next = newline != NULL ? newline + 1 : end;

		if (stop > text && newline != NULL && stop[-1] == '\r')
			stop--;
		status = mb_vocabulary_set(v, line, text, (size_t) (stop - text),
								   MB_VOCAB_TXT, r->err);
		text = next;
	}
	return status == MB_OK ?
		mb_vocabulary_sort(v, NULL, r->cancel, r->err) : status;
}

/*
 * Step 3: tokenizer_config.json
 */

static mb_status
read_max_length(mb_reader *r)
{
	const mb_json *value = mb_json_get(r->config, "model_max_length");

	if (mb_json_is_null(value))
		return MB_OK;
	if (value->type != MB_JSON_NUMBER || !(value->number >= 0))
		return mb_wrong_value(r, MB_TOKENIZER_CONFIG, "model_max_length",
							  "a non-negative number");
	if (value->number > LARGE_LENGTH || value->number >= 1.8e19)
		r->vocabulary.model_max_length = UINT64_MAX;
	else if (!mb_json_uint64(value, &r->vocabulary.model_max_length))
		r->vocabulary.model_max_length = (uint64_t) value->number;
	return MB_OK;
}

/*
 * The normaliser's switches: what tokenizer_config.json says wins, and where it
 * is silent the class's defaults do.  PreTrainedTokenizerFast takes them from
 * tokenizer.json alone.
 */
static mb_status
read_config_normalizer(mb_reader *r, int *strip)
{
	mb_normalizer *n = &r->vocabulary.normalizer;
	const mb_json *accents = mb_json_get(r->config, "strip_accents");
	bool		chinese = r->tokenizer == NULL || !r->class->file_chinese;
	mb_status	status;
	bool		value = false;

	if (r->class->generic || r->sequence)
		return MB_OK;
	n->lowercase = true;
	*strip = -1;
	if (chinese)
		n->handle_chinese_chars = true;
	status = mb_read_bool(r, r->config, MB_TOKENIZER_CONFIG, "do_lower_case",
						  &n->lowercase);
	if (status == MB_OK && chinese)
		status = mb_read_bool(r, r->config, MB_TOKENIZER_CONFIG,
							  "tokenize_chinese_chars",
							  &n->handle_chinese_chars);
	if (status == MB_OK)
		status = mb_read_bool(r, r->config, MB_TOKENIZER_CONFIG,
							  "strip_accents", &value);
	if (status == MB_OK && accents != NULL)
		*strip = mb_json_is_null(accents) ? -1 : value;
	return status;
}

/* Whether "token_type_ids" are among the model's inputs. */
static mb_status
read_input_names(mb_reader *r)
{
	const mb_json *names = mb_json_get(r->config, "model_input_names");
	const mb_json *name;

	r->vocabulary.no_types = !r->class->types;
	if (mb_json_is_null(names))
		return MB_OK;
	if (names->type != MB_JSON_ARRAY)
		return mb_wrong_value(r, MB_TOKENIZER_CONFIG, "model_input_names",
							  "an array");
	r->vocabulary.no_types = true;
	for (name = names->child; name != NULL; name = name->next)
		if (mb_json_is_string(name, "token_type_ids"))
			r->vocabulary.no_types = false;
	return MB_OK;
}

static mb_status
read_config(mb_reader *r, int *strip)
{
	mb_vocabulary *v = &r->vocabulary;
	mb_status	status = read_config_normalizer(r, strip);

	if (status == MB_OK)
		status = read_input_names(r);
	if (status == MB_OK)
		status = read_max_length(r);
	if (status == MB_OK)
		status = mb_read_side(r, r->config, MB_TOKENIZER_CONFIG,
							  "padding_side", &v->pad_left);
	if (status == MB_OK)
		status = mb_read_side(r, r->config, MB_TOKENIZER_CONFIG,
							  "truncation_side", &v->truncate_left);
	if (status == MB_OK)
		status = mb_read_type_id(r, r->config, MB_TOKENIZER_CONFIG,
								 "pad_token_type_id", &v->pad_type_id);
	if (status == MB_OK)
		status = mb_read_bool(r, r->config, MB_TOKENIZER_CONFIG,
							  "clean_up_tokenization_spaces",
							  &v->clean_up_spaces);
	if (status == MB_OK)
		status = mb_read_bool(r, r->config, MB_TOKENIZER_CONFIG,
							  "split_special_tokens",
							  &v->split_special_tokens);
	return status;
}

/*
 * All of it
 */

static mb_status
parse(mb_reader *r, const mb_document *document, const char *name,
	  mb_json **root)
{
	mb_status	status;

	*root = NULL;
	if (document->text == NULL)
		return MB_OK;
	status = mb_json_parse(document->text, document->length, name, true,
						   r->scratch, r->cancel, root, r->err);
	if (status == MB_OK && (*root)->type != MB_JSON_OBJECT)
		return mb_fail(r->err, MB_ERR_DATA, "\"%s\" is not a JSON object",
					   name);
	return status;
}

static mb_status
parse_files(mb_reader *r)
{
	mb_status	status;

	status = parse(r, &r->files->tokenizer_json, MB_TOKENIZER_JSON,
				   &r->tokenizer);
	if (status == MB_OK)
		status = parse(r, &r->files->tokenizer_config, MB_TOKENIZER_CONFIG,
					   &r->config);
	if (status != MB_OK)
		return status;
	if (r->tokenizer == NULL && r->files->vocab_txt.text == NULL)
	{
		mb_fail(r->err, MB_ERR_DATA, "model has neither \"%s\" nor \"%s\"",
				MB_TOKENIZER_JSON, MB_VOCAB_TXT);
		mb_hint(r->err, "Add the tokenizer files that were published with the model.");
		return MB_ERR_DATA;
	}
	r->class = mb_find_tokenizer_class(mb_json_get(r->config,
												   "tokenizer_class"),
									   r->files->class_name,
									   r->tokenizer != NULL);

	/* legacy files count only without added_tokens_decoder */
	if (mb_json_get(r->config, "added_tokens_decoder") != NULL)
		return MB_OK;
	status = parse(r, &r->files->special_tokens_map, MB_SPECIAL_TOKENS_MAP,
				   &r->special_map);
	if (status == MB_OK)
		status = parse(r, &r->files->added_tokens, MB_ADDED_TOKENS,
					   &r->added_map);
	return status;
}

static void
preset(mb_vocabulary *v)
{
	v->normalizer.clean_text = true;
	v->normalizer.handle_chinese_chars = true;
	v->normalizer.lowercase = true;
	v->unk_text = "[UNK]";
	v->unk_length = strlen(v->unk_text);
	v->prefix = "##";
	v->prefix_length = strlen(v->prefix);
	v->decoder_prefix = v->prefix;
	v->decoder_prefix_length = v->prefix_length;
	v->decoder_cleanup = true;
	v->max_word_chars = 100;
	v->model_max_length = UINT64_MAX;
}

/*
 * Without tokenizer.json, words without pieces give the unk_token of
 * tokenizer_config.json.
 */
static void
take_unknown(mb_reader *r)
{
	if (r->tokenizer != NULL || r->named[MB_NAMED_UNK].text == NULL)
		return;
	r->vocabulary.unk_text = r->named[MB_NAMED_UNK].text;
	r->vocabulary.unk_length = r->named[MB_NAMED_UNK].length;
}

/* strip_accents that is null (-1) is as lowercase. */
static mb_normalizer
finished(const mb_normalizer *normalizer, int strip)
{
	mb_normalizer result = *normalizer;

	result.strip_accents = strip < 0 ? result.lowercase : strip;
	return result;
}

static mb_status
read_vocabulary(mb_reader *r)
{
	mb_vocabulary *v = &r->vocabulary;
	int			strip = -1;		/* strip_accents; -1: as lowercase */
	mb_status	status;

	preset(v);
	status = parse_files(r);
	if (status == MB_OK)
		status = r->tokenizer != NULL ? mb_read_tokenizer_json(r, &strip) :
			read_vocab_txt(r);
	v->added_normalizer = finished(&v->normalizer, strip);
	if (status == MB_OK)
		status = read_config(r, &strip);
	if (status != MB_OK)
		return status;
	v->normalizer = finished(&v->normalizer, strip);
	if (r->tokenizer == NULL)
		v->added_normalizer = v->normalizer;
	v->normalizer.lowercase |= r->files->lowercase_first;
	status = mb_read_added_tokens(r);
	take_unknown(r);
	return status == MB_OK ? mb_read_template(r) : status;
}

mb_status
mb_tokenizer_build(const mb_tokenizer_files *files, mb_arena *arena,
				   const mb_cancel *cancel, void **blob, size_t *size,
				   mb_error *err)
{
	mb_arena	scratch;
	mb_reader	r;
	mb_status	status;

	mb_arena_init(&scratch, arena->memory,
				  arena->limit == SIZE_MAX ? SIZE_MAX :
				  arena->limit - arena->total);
	memset(&r, 0, sizeof(r));
	r.files = files;
	r.scratch = &scratch;
	r.cancel = cancel;
	r.err = err;
	status = read_vocabulary(&r);
	if (status == MB_OK)
		status = mb_blob_compile(&r.vocabulary, arena, &scratch, cancel,
								 blob, size, err);
	mb_arena_free(&scratch);
	return status;
}
