/*-------------------------------------------------------------------------
 *
 * golden.h
 *	  What golden_model compares with: checkpoints, errors by field, and passes
 *	  of single cases.
 *
 * Depends on load.h and the engine; functions are static, like tap.h's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "encoder/forward.h"
#include "load.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ALLOWED 2.0

/* What is allowed with other precisions than fp32 */
typedef struct bounds
{
	double		share;			/* of the root mean square; 0: see spread */
	double		spread;			/* times torch's spread */
} bounds;

static const bounds allowed[MB_PRECISIONS] = {
	[MB_PRECISION_BF16X3] = {1e-4, 0x1p8},
	[MB_PRECISION_BF16] = {0.05, 0x1p16},
	[MB_PRECISION_INT8] = {0.15, 0x1p18}
};

static const mb_kernels *kernels;	/* that are compared */
static mb_precision precision = MB_PRECISION_FP32;

#define MOST_FIELDS 2000
#define MOST_MODELS 1000

/*
 * By name, packed for the kernels in use; a golden folder has some of its
 * checkpoints in its neighbour.
 */
static checkpoint *
find_checkpoint(const char *root, const char *name)
{
	static checkpoint *loaded[MOST_MODELS];
	static size_t count = 0;
	char		directory[PATH];
	document	config;
	size_t		i;

	for (i = 0; i < count; i++)
		if (strcmp(loaded[i]->name, name) == 0 &&
			loaded[i]->model.kernels == kernels)
			return loaded[i];
	if (count == MOST_MODELS)
		give_up("too many checkpoints");
	snprintf(directory, sizeof(directory), "%s/checkpoints/%s", root, name);
	config = read_file(directory, "config.json");
	if (config.text == NULL)
		snprintf(directory, sizeof(directory), "%s/../checkpoint/%s", root,
				 name);
	free(config.text);
	return loaded[count++] = load_checkpoint(directory, name, kernels,
											  precision, &mb_libc_memory);
}

/* Largest errors, by checkpoint and field */

typedef struct field
{
	char		checkpoint[64];
	char		name[64];		/* "task/field" as in spread.json */
	double		spread;
	double		worst;
	double		error;			/* sums of squares: of differences */
	double		square;			/* and of what is expected */
} field;

static field fields[MOST_FIELDS];
static size_t field_count;
static const mb_json *spread;	/* checkpoint -> field -> abs, rel, largest */

static field *
find_field(const char *name, const char *task, const char *key)
{
	char		path[64];
	const mb_json *entry;
	field	   *f;
	size_t		i;

	snprintf(path, sizeof(path), "%s/%s", task, key);
	for (i = 0; i < field_count; i++)
		if (strcmp(fields[i].checkpoint, name) == 0 &&
			strcmp(fields[i].name, path) == 0)
			return &fields[i];
	entry = mb_json_get(mb_json_get(mb_json_get(spread, name), path), "abs");
	if (entry == NULL || field_count == MOST_FIELDS)
		give_up(path);
	f = &fields[field_count++];
	snprintf(f->checkpoint, sizeof(f->checkpoint), "%s", name);
	snprintf(f->name, sizeof(f->name), "%s", path);
	f->spread = entry->number;
	f->worst = f->error = f->square = 0.0;
	return f;
}

static void
note(field *f, double got, const mb_json *expected)
{
	double		difference = fabs(got - expected->number);

	f->error += difference * difference;
	f->square += expected->number * expected->number;
	if (expected->type != MB_JSON_NUMBER || !(difference <= f->worst))
		f->worst = expected->type != MB_JSON_NUMBER || isnan(difference) ?
			INFINITY : difference;
}

/* got[count] against an array; a different length is an infinite error */
static void
note_array(field *f, const float *got, size_t count, const mb_json *expected)
{
	const mb_json *entry;
	size_t		i = 0;

	if (expected == NULL || expected->type != MB_JSON_ARRAY ||
		expected->length != count)
	{
		f->worst = INFINITY;
		return;
	}
	for (entry = expected->child; entry != NULL; entry = entry->next)
		note(f, got[i++], entry);
}

/* Root of the mean square error as a share of the field's own */
static double
share(const field *f)
{
	return f->error == 0.0 ? 0.0 : sqrt(f->error / f->square);
}

/* The error in units of half of what is allowed */
static double
ratio(const field *f)
{
	const bounds *most = &allowed[precision];
	double		ratio = f->worst == 0.0 ? 0.0 : f->worst / f->spread;

	if (most->share == 0.0 || f->worst == INFINITY)
		return ratio;
	return ALLOWED * fmin(share(f) / most->share, ratio / most->spread);
}

static int
by_ratio(const void *a, const void *b)
{
	double		x = ratio(a);
	double		y = ratio(b);

	return x < y ? 1 : x > y ? -1 : 0;
}

typedef struct result
{
	const mb_model *model;
	size_t		tokens;
	float	   *hidden;			/* [layers + 1, tokens, H] */
	float	   *attention;		/* [layers, heads, tokens, tokens] */
} result;

static mb_status
keep_hidden(void *context, size_t layer, const float *states)
{
	result	   *r = context;
	size_t		size = r->tokens * r->model->config.hidden_size;

	memcpy(r->hidden + layer * size, states, size * sizeof(float));
	return MB_OK;
}

static mb_status
keep_attention(void *context, size_t layer, size_t sequence, size_t head,
			   size_t first_query, size_t queries, const float *p)
{
	result	   *r = context;
	size_t		map = layer * r->model->config.heads + head;

	(void) sequence;
	memcpy(r->attention + (map * r->tokens + first_query) * r->tokens, p,
		   queries * r->tokens * sizeof(float));
	return MB_OK;
}

typedef struct input
{
	size_t		starts[2];
	int32_t    *ids;
	int32_t    *types;
	uint8_t    *mask;
} input;

static input
make_input(size_t tokens, mb_arena *arena)
{
	input		in;

	in.starts[0] = 0;
	in.starts[1] = tokens;
	in.ids = mb_arena_zero(arena, tokens, sizeof(int32_t));
	in.types = mb_arena_zero(arena, tokens, sizeof(int32_t));
	in.mask = mb_arena_alloc(arena, tokens, 1);
	memset(in.mask, 1, tokens);
	return in;
}

/* r->hidden and r->attention are the arena's; attention only when wanted. */
static mb_status
run(const mb_model *model, const input *in, bool attention, mb_arena *arena,
	result *r)
{
	const mb_config *c = &model->config;
	size_t		tokens = in->starts[1];
	size_t		size = mb_forward_memory(model, tokens, tokens);
	mb_batch	batch = {1, in->starts, in->ids, in->types, in->mask, NULL,
	false};
	mb_observer observer = {r, keep_hidden, attention ? keep_attention : NULL};
	const float *states;
	void	   *workspace;
	mb_status	status;

	r->model = model;
	r->tokens = tokens;
	r->hidden = mb_arena_alloc(arena, (c->layers + 1) * tokens,
							   c->hidden_size * sizeof(float));
	r->attention = NULL;
	if (attention)
		r->attention = mb_arena_alloc(arena, (size_t) c->layers * c->heads,
									  tokens * tokens * sizeof(float));
	if (posix_memalign(&workspace, 64, size) != 0)
		give_up("memory");
	status = mb_forward(model, &batch, c->layers, &observer, NULL, workspace,
						size, &states, &error);
	free(workspace);
	return status;
}

static void
copy_integers(const mb_json *array, int32_t *target)
{
	const mb_json *entry;

	for (entry = array->child; entry != NULL; entry = entry->next)
		*target++ = (int32_t) entry->number;
}

/* Does the checkpoint's tokenizer give token types? */
static bool
gives_types(const char *root, const char *name, mb_arena *arena)
{
	char		directory[PATH];
	document	file;
	const mb_json *names;

	snprintf(directory, sizeof(directory), "%s/checkpoints/%s", root, name);
	file = read_file(directory, "tokenizer_config.json");
	if (file.text == NULL)
		return true;
	names = mb_json_get(parse(&file, "tokenizer_config.json", arena),
						"model_input_names");
	free(file.text);
	if (names == NULL)
		return true;
	for (names = names->child; names != NULL; names = names->next)
		if (mb_json_is_string(names, "token_type_ids"))
			return true;
	return false;
}

/* What the tokenizer or the caller gave: ids, types and mask. */
static input
read_input(const mb_json *line, const mb_config *config, mb_arena *arena)
{
	const mb_json *inputs = mb_json_get(line, "inputs");
	const mb_json *ids = mb_json_get(mb_json_get(line, "expected64"),
									 "input_ids");
	const mb_json *mask = mb_json_get(inputs, "attention_mask");
	const mb_json *entry;
	input		in = make_input(ids->length, arena);
	size_t		end = ids->length;
	size_t		i;

	copy_integers(ids, in.ids);
	if (mb_json_get(inputs, "token_type_ids") != NULL)
		copy_integers(mb_json_get(inputs, "token_type_ids"), in.types);
	if (mask != NULL)
	{
		for (i = 0, entry = mask->child; entry != NULL; entry = entry->next)
			in.mask[i++] = entry->number != 0.0;
		return in;
	}
	if (mb_json_get(mb_json_get(line, "options"), "pad_to") != NULL)
		while (end > 0 && in.ids[end - 1] == config->pad_token_id)
			in.mask[--end] = 0;
	if (mb_json_get(inputs, "text_pair") != NULL)
		for (i = end - 1; i > 0 && (i == end - 1 ||
									in.ids[i] != in.ids[end - 1]); i--)
			in.types[i] = 1;
	return in;
}

#endif							/* GOLDEN_H */
