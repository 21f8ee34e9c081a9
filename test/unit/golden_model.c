/*-------------------------------------------------------------------------
 *
 * golden_model.c
 *	  The encoder against Hugging Face's: hidden states, attention maps,
 *	  poolings and poolers of many checkpoints.
 *
 *	  golden_model DIRECTORY [TABLE ...]
 *	  golden_model --full CHECKPOINT DIRECTORY [TABLE ...]
 *	  golden_model --precision NAME [--full CHECKPOINT] DIRECTORY [TABLE ...]
 *
 * DIRECTORY has checkpoints/NAME (Hugging Face directories) and expected/ with
 * spread.json and TASK.jsonl for each task that has fields there; any of these
 * files and of the weights may be compressed (".gz", read through gzip).  With
 * --full it has expected.jsonl and spread.json of one large checkpoint.  TABLE is
 * a table of kernels, all of this processor by default.
 *
 * spread.json says how far torch's float32 is from float64, for each
 * checkpoint and field, as the largest absolute difference over all cases.
 * Ours may be at most twice that from the same float64 numbers.  Calls that
 * Hugging Face refuses must be refused.
 *
 * With another precision than fp32 a field's error is the root of its mean
 * square, as a share of the field's own, and has the bound of that precision.
 * Where torch's float32 is far off itself, because a network makes more of
 * each rounding, an error may be larger than torch's by as much as mantissas
 * are shorter.
 *
 * Text pairs come without token types in the expected files: those of the
 * second text are the tokens after the first of the two separators, or none where
 * the tokenizer's "model_input_names" have no token types.
 *
 *-------------------------------------------------------------------------
 */
#include "kernels/choose.h"
#include "encoder/forward.h"
#include "encoder/heads.h"

#include "golden.h"
#include "pool.h"
#include "tables.h"
#include "tap.h"
#include "tasks/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One function for each task */

static void
check_hidden(const checkpoint *c, const result *r, const mb_json *expected)
{
	size_t		width = c->model.config.hidden_size;
	size_t		size = r->tokens * width;
	field	   *states = find_field(c->name, "hidden_states", "hidden_states");
	field	   *norms = find_field(c->name, "hidden_states", "norms");
	const mb_json *layer = mb_json_get(expected, "hidden_states")->child;
	const mb_json *norm = mb_json_get(expected, "norms")->child;
	const mb_json *pooled = mb_json_get(expected, "pooler_output");
	size_t		i;
	size_t		j;

	for (i = 0; i <= c->model.config.layers; i++)
	{
		const mb_json *row = mb_json_get(expected, "rows")->child;
		const mb_json *value = layer->child;
		double		sum = 0.0;

		for (; row != NULL; row = row->next, value = value->next)
			note_array(states, r->hidden + i * size +
					   (size_t) row->number * width, width, value);
		for (j = 0; j < size; j++)
			sum += (double) r->hidden[i * size + j] * r->hidden[i * size + j];
		note(norms, (float) sqrt(sum), norm);
		layer = layer->next;
		norm = norm->next;
	}
	if (pooled != NULL)
	{
		float	   *out = malloc(width * sizeof(float));

		if (mb_pooler(&c->model, r->hidden + c->model.config.layers * size,
					  out, &error) != MB_OK)
			give_up(c->name);
		note_array(find_field(c->name, "hidden_states", "pooler_output"), out,
				   width, pooled);
		free(out);
	}
}

static void
check_attention(const checkpoint *c, const result *r, const mb_json *expected)
{
	field	   *f = find_field(c->name, "attentions", "attentions");
	const mb_json *layer = mb_json_get(expected, "attentions")->child;
	const mb_json *head;
	const mb_json *query;
	const float *p = r->attention;

	for (; layer != NULL; layer = layer->next)
		for (head = layer->child; head != NULL; head = head->next)
			for (query = head->child; query != NULL; query = query->next)
			{
				note_array(f, p, r->tokens, query);
				p += r->tokens;
			}
	if (p != r->attention + (size_t) c->model.config.layers *
		c->model.config.heads * r->tokens * r->tokens)
		f->worst = INFINITY;
}

static void
check_embeddings(const checkpoint *c, const result *r, const input *in,
				 const mb_json *expected)
{
	static const struct
	{
		const char *key;
		mb_pooling	mode;
	}			modes[] = {
		{"mean", MB_POOL_MEAN}, {"cls", MB_POOL_CLS}, {"max", MB_POOL_MAX},
		{"mean_sqrt_len_tokens", MB_POOL_MEAN_SQRT_LEN},
		{"weightedmean", MB_POOL_WEIGHTED_MEAN},
		{"lasttoken", MB_POOL_LAST_TOKEN}, {"pooler", MB_POOL_POOLER}
	};
	size_t		width = c->model.config.hidden_size;
	const float *last = r->hidden + c->model.config.layers * r->tokens * width;
	float	   *out = malloc(width * sizeof(float));
	size_t		i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
	{
		const mb_json *plain = mb_json_get(expected, modes[i].key);
		char		key[64];

		if (plain == NULL)
			continue;
		if (pool_text(&c->model, modes[i].mode, last, r->tokens, in->mask,
					  out, &error) != MB_OK)
			give_up(c->name);
		note_array(find_field(c->name, "embeddings", modes[i].key), out, width,
				   plain);
		snprintf(key, sizeof(key), "%s_normalized", modes[i].key);
		if (mb_json_get(expected, key) == NULL)
			continue;
		mb_normalize(out, width);
		note_array(find_field(c->name, "embeddings", key), out, width,
				   mb_json_get(expected, key));
	}
	free(out);
}

/* Heads that need no pipeline: rows of logits, and the pretraining head's. */
static void
check_head(const checkpoint *c, const char *task, const result *r,
		   const mb_json *expected)
{
	const float *last = r->hidden +
		(size_t) c->model.config.layers * r->tokens *
		c->model.config.hidden_size;
	size_t		width = c->model.config.hidden_size;
	mb_task		head = strcmp(task, "pretraining") == 0 ? MB_TASK_NEXT_SENTENCE :
		strcmp(task, "discriminator") == 0 ? MB_TASK_REPLACED_TOKEN :
		strcmp(task, "qa_logits") == 0 ? MB_TASK_ANSWER : MB_TASK_NER;
	size_t		count = mb_head_width(&c->model, head);
	float	   *scratch = malloc(mb_head_scratch(&c->model) * sizeof(float));
	float	   *logits = malloc(count * sizeof(float) + 1);
	const mb_json *start = mb_json_get(expected, "start_logits");
	const mb_json *end = mb_json_get(expected, "end_logits");
	const mb_json *row = mb_json_get(expected, "logits");
	size_t		i;

	start = start == NULL ? NULL : start->child;
	end = end == NULL ? NULL : end->child;
	row = row == NULL ? NULL : row->child;
	for (i = 0; i < (mb_head_pooled(head) ? 1 : r->tokens); i++)
	{
		if (mb_head_logits(&c->model, head, last + i * width, scratch, logits,
						   NULL, &error) != MB_OK)
			give_up(task);
		if (head == MB_TASK_NEXT_SENTENCE)
			note_array(find_field(c->name, task, "seq_relationship_logits"),
					   logits, count,
					   mb_json_get(expected, "seq_relationship_logits"));
		else if (head == MB_TASK_NER || head == MB_TASK_REPLACED_TOKEN)
		{
			field	   *f = find_field(c->name, task, "logits");

			if (head == MB_TASK_NER)
				note_array(f, logits, count, row);
			else
				note(f, logits[0], row);
			row = row->next;
		}
		else
		{
			note(find_field(c->name, task, "start_logits"), logits[0], start);
			note(find_field(c->name, task, "end_logits"), logits[1], end);
			start = start->next;
			end = end->next;
		}
	}
	free(scratch);
	free(logits);
}

/*
 * Python refused the call.  The ids are not in the file, but the reason is: a
 * row of more tokens than positions, or a second type where there is one.
 */
static bool
is_refused(const checkpoint *c, const char *message, mb_arena *arena)
{
	static const char too_long[] = "RuntimeError: The size of tensor a (";
	size_t		tokens = 2;
	mb_status	expected = MB_ERR_ARGUMENT;
	mb_status	status;
	result		r;
	input		in;

	if (strncmp(message, too_long, strlen(too_long)) == 0)
	{
		tokens = strtoul(message + strlen(too_long), NULL, 10);
		expected = MB_ERR_LIMIT;
	}
	else if (strcmp(message, "IndexError: index out of range in self") != 0)
		return false;
	else if (c->model.config.type_vocab_size == 0)
	{							/* MPNet's positions */
		tokens = (size_t) c->model.config.max_tokens + 1;
		expected = MB_ERR_LIMIT;
	}
	in = make_input(tokens, arena);
	if (expected == MB_ERR_ARGUMENT)
		in.types[1] = 1;
	status = run(&c->model, &in, false, arena, &r);
	return status == expected && error.message[0] != '\0';
}

/* One line of a file of cases. */
static void
check_line(const char *root, const document *line, mb_arena *arena,
		   size_t *compared, size_t *refused)
{
	const mb_json *json = parse(line, "a case", arena);
	const mb_json *expected = mb_json_get(json, "expected64");
	const char *task = mb_json_get(json, "task")->text;
	const mb_json *failure = mb_json_get(mb_json_get(json, "expected"),
										 "error");
	checkpoint *c = find_checkpoint(root,
									mb_json_get(json, "checkpoint")->text);
	bool		attention = strcmp(task, "attentions") == 0;
	input		in;
	result		r;

	if (failure != NULL)
	{
		if (!is_refused(c, failure->text, arena))
			ok(false, "%s is refused (%s)", mb_json_get(json, "id")->text,
			   failure->text);
		++*refused;
		return;
	}
	in = read_input(json, &c->model.config, arena);
	if (!gives_types(root, c->name, arena) &&
		mb_json_get(mb_json_get(json, "inputs"), "token_type_ids") == NULL)
		memset(in.types, 0, in.starts[1] * sizeof(int32_t));
	if (run(&c->model, &in, attention, arena, &r) != MB_OK)
		give_up(mb_json_get(json, "id")->text);
	if (attention)
		check_attention(c, &r, expected);
	else if (strcmp(task, "embeddings") == 0)
		check_embeddings(c, &r, &in, expected);
	else if (strcmp(task, "hidden_states") != 0)
		check_head(c, task, &r, expected);
	else
		check_hidden(c, &r, expected);
	++*compared;
}

/* The large checkpoint: fields of full/expected.jsonl that the encoder makes */

static int
by_size(const void *a, const void *b)
{
	float		x = *(const float *) a;
	float		y = *(const float *) b;

	return x < y ? -1 : x > y;
}

/* Norm, largest and median size of each hidden state. */
static void
check_full_layers(const checkpoint *c, const result *r,
				  const mb_json *expected)
{
	size_t		size = r->tokens * c->model.config.hidden_size;
	const mb_json *norm = mb_json_get(expected, "layer_norms")->child;
	const mb_json *largest = mb_json_get(expected, "layer_largest")->child;
	const mb_json *median = mb_json_get(expected, "layer_median")->child;
	float	   *sizes = malloc(size * sizeof(float));
	size_t		layer;
	size_t		i;

	for (layer = 0; layer <= c->model.config.layers; layer++)
	{
		double		sum = 0.0;

		for (i = 0; i < size; i++)
		{
			sizes[i] = fabsf(r->hidden[layer * size + i]);
			sum += (double) sizes[i] * sizes[i];
		}
		qsort(sizes, size, sizeof(float), by_size);
		note(find_field(c->name, "full", "layer_norms"), (float) sqrt(sum),
			 norm);
		note(find_field(c->name, "full", "layer_largest"), sizes[size - 1],
			 largest);
		note(find_field(c->name, "full", "layer_median"),
			 sizes[(size - 1) / 2], median);
		norm = norm->next;
		largest = largest->next;
		median = median->next;
	}
	free(sizes);
}

static void
check_full_rows(const checkpoint *c, const result *r, const mb_json *expected)
{
	size_t		width = c->model.config.hidden_size;
	size_t		size = r->tokens * width;
	const float *last = r->hidden + c->model.config.layers * size;
	const mb_json *row = mb_json_get(expected, "rows")->child;
	const mb_json *value = mb_json_get(expected, "last_hidden_state")->child;
	const mb_json *layer = mb_json_get(expected, "layer_rows")->child;
	char		key[64];
	float	   *out = malloc(width * sizeof(float));

	for (; row != NULL; row = row->next, value = value->next)
		note_array(find_field(c->name, "full", "last_hidden_state"),
				   last + (size_t) row->number * width, width, value);
	for (; layer != NULL; layer = layer->next)
	{
		const float *states = r->hidden + strtoul(layer->key, NULL, 10) * size;

		snprintf(key, sizeof(key), "layer_rows.%s", layer->key);
		note_array(find_field(c->name, "full", key), states, 64, layer->child);
		note_array(find_field(c->name, "full", key),
				   states + (r->tokens - 1) * width, 64, layer->child->next);
	}
	if (pool_text(&c->model, MB_POOL_MEAN, last, r->tokens, NULL, out,
				  &error) != MB_OK)
		give_up("mean");
	note_array(find_field(c->name, "full", "mean"), out, width,
			   mb_json_get(expected, "mean"));
	mb_normalize(out, width);
	note_array(find_field(c->name, "full", "mean_normalized"), out, width,
			   mb_json_get(expected, "mean_normalized"));
	free(out);
}

/* Logits of one position, which may count from the end, into out. */
static void
full_logits(const checkpoint *c, const result *r, mb_task head, double position,
			float *out)
{
	size_t		width = c->model.config.hidden_size;
	size_t		row = position < 0 ? r->tokens - (size_t) -position :
		(size_t) position;
	const float *state = r->hidden +
		((size_t) c->model.config.layers * r->tokens + row) * width;
	float	   *scratch = malloc(mb_head_scratch(&c->model) * sizeof(float));

	if (mb_head_logits(&c->model, head, state, scratch, out, NULL,
					   &error) != MB_OK)
		give_up("head");
	free(scratch);
}

static void
check_full_mlm(const checkpoint *c, const result *r, const mb_json *expected)
{
	size_t		count = mb_head_width(&c->model, MB_TASK_FILL_MASK);
	float	   *logits = malloc(count * sizeof(float));
	const mb_json *position = mb_json_get(expected, "positions")->child;
	const mb_json *row = mb_json_get(expected, "logits")->child;
	const mb_json *max = mb_json_get(expected, "max")->child;
	const mb_json *norm = mb_json_get(expected, "logsumexp")->child;

	for (; position != NULL; position = position->next)
	{
		const mb_json *column = mb_json_get(expected, "columns")->child;
		const mb_json *value = row->child;

		full_logits(c, r, MB_TASK_FILL_MASK, position->number, logits);
		for (; column != NULL; column = column->next, value = value->next)
			note(find_field(c->name, "full", "mlm.logits"),
				 logits[(size_t) column->number], value);
		note(find_field(c->name, "full", "mlm.max"),
			 logits[mb_argmax(logits, count)], max);
		note(find_field(c->name, "full", "mlm.logsumexp"),
			 mb_log_sum_exp(logits, count), norm);
		row = row->next;
		max = max->next;
		norm = norm->next;
	}
	free(logits);
}

/* Those heads of the case that the checkpoint has. */
static void
check_full_heads(const checkpoint *c, const result *r,
				 const mb_json *expected)
{
	const mb_json *row = mb_json_get(expected, "head_rows")->child;
	const mb_json *start = mb_json_get(expected, "qa_start_logits")->child;
	const mb_json *end = mb_json_get(expected, "qa_end_logits")->child;
	const mb_json *token = mb_json_get(expected, "token_logits")->child;
	size_t		labels = c->model.config.num_labels;
	float	   *logits = malloc((labels + 2) * sizeof(float));

	if (mb_head_width(&c->model, MB_TASK_FILL_MASK) > 0)
		check_full_mlm(c, r, mb_json_get(expected, "mlm"));
	if (mb_head_width(&c->model, MB_TASK_NEXT_SENTENCE) > 0)
	{
		full_logits(c, r, MB_TASK_NEXT_SENTENCE, 0, logits);
		note_array(find_field(c->name, "full", "seq_relationship_logits"),
				   logits, 2, mb_json_get(expected, "seq_relationship_logits"));
	}
	if (mb_head_width(&c->model, MB_TASK_CLASSIFY) > 0)
	{
		full_logits(c, r, MB_TASK_CLASSIFY, 0, logits);
		note_array(find_field(c->name, "full", "sequence_logits"), logits,
				   labels, mb_json_get(expected, "sequence_logits"));
	}
	for (; row != NULL; row = row->next)
	{
		if (mb_head_width(&c->model, MB_TASK_ANSWER) > 0)
		{
			full_logits(c, r, MB_TASK_ANSWER, row->number, logits);
			note(find_field(c->name, "full", "qa_start_logits"), logits[0],
				 start);
			note(find_field(c->name, "full", "qa_end_logits"), logits[1], end);
		}
		if (mb_head_width(&c->model, MB_TASK_NER) > 0)
		{
			full_logits(c, r, MB_TASK_NER, row->number, logits);
			note_array(find_field(c->name, "full", "token_logits"), logits,
					   labels, token);
		}
		start = start->next;
		end = end->next;
		token = token->next;
	}
	free(logits);
}

static void
check_full_line(const checkpoint *c, const document *line, mb_arena *arena)
{
	const mb_json *json = parse(line, "a case", arena);
	const mb_json *expected = mb_json_get(json, "expected64");
	input		in = read_input(json, &c->model.config, arena);
	result		r;

	if (run(&c->model, &in, false, arena, &r) != MB_OK)
		give_up(mb_json_get(json, "id")->text);
	check_full_layers(c, &r, expected);
	check_full_rows(c, &r, expected);
	check_full_heads(c, &r, expected);
}

static void
check_file(const char *root, const char *name, const checkpoint *full,
		   size_t *compared, size_t *refused)
{
	document	file = read_file(root, name);
	char	   *at = file.text;
	size_t		before = *compared;

	if (at == NULL)
		give_up(name);
	while (*at != '\0')
	{
		char	   *end = strchr(at, '\n');
		document	line = {at, end == NULL ? strlen(at) : (size_t) (end - at)};
		mb_arena	arena;

		mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
		if (full != NULL)
		{
			check_full_line(full, &line, &arena);
			++*compared;
		}
		else
			check_line(root, &line, &arena, compared, refused);
		mb_arena_free(&arena);
		at += line.length + (end != NULL);
	}
	ok(*compared > before, "%s: %zu cases compared", name, *compared - before);
	free(file.text);
}

/* The bound, for people to read */
static const char *
bound(void)
{
	static char text[80];
	const bounds *most = &allowed[precision];

	if (most->share == 0.0)
		snprintf(text, sizeof(text), "%.0f times torch's spread", ALLOWED);
	else
		snprintf(text, sizeof(text), "%g of the root mean square, or %g times "
				 "torch's spread", most->share, most->spread);
	return text;
}

/* The table, largest ratio first, and a line of TAP for what is over. */
static void
report(const char *table, size_t compared, size_t refused)
{
	size_t		over = 0;
	size_t		i;

	qsort(fields, field_count, sizeof(field), by_ratio);
	printf("# %-34s %-38s %10s %10s %6s %9s\n", "checkpoint", "field",
		   "error", "spread", "ratio", "share");
	for (i = 0; i < field_count; i++)
	{
		const field *f = &fields[i];

		if (i < 20 || ratio(f) > ALLOWED)
			printf("# %-34s %-38s %10.3g %10.3g %6.2f %9.2g\n", f->checkpoint,
				   f->name, f->worst, f->spread, ratio(f), share(f));
		if (!(ratio(f) <= ALLOWED))
		{
			over++;
			ok(false, "%s: %s %s within %s", table, f->checkpoint, f->name,
			   bound());
		}
	}
	ok(over == 0 && field_count > 0, "%s: %zu fields of %zu cases within %s, "
	   "largest ratio %.2f, median %.2f", table, field_count, compared,
	   bound(), ratio(&fields[0]), ratio(&fields[field_count / 2]));
	if (refused > 0)
		ok(true, "%s: %zu calls that Python refuses are refused", table,
		   refused);
}

/* Has a checkpoint fields of the task?  Then there is a file of cases. */
static bool
has_task(const char *task)
{
	const mb_json *checkpoint;
	const mb_json *entry;
	size_t		length = strlen(task);

	for (checkpoint = spread->child; checkpoint != NULL;
		 checkpoint = checkpoint->next)
		for (entry = checkpoint->child; entry != NULL; entry = entry->next)
			if (strncmp(entry->key, task, length) == 0 &&
				entry->key[length] == '/')
				return true;
	return false;
}

static void
check_table(const char *table, const char *root, const char *directory)
{
	static const char *const tasks[] = {
		"hidden_states", "attentions", "embeddings", "token_logits",
		"qa_logits", "pretraining", "discriminator"
	};
	const checkpoint *full;
	size_t		compared = 0;
	size_t		refused = 0;
	char		name[64];
	size_t		i;

	kernels = find_table(table);
	if (kernels == NULL || !mb_kernels_choose(kernels->name))
	{
		ok(true, "%s # SKIP not on this processor", table);
		return;
	}
	field_count = 0;
	full = directory == NULL ? NULL :
		load_checkpoint(directory, "full", kernels, precision,
						&mb_libc_memory);
	if (full != NULL)
		check_file(root, "expected.jsonl", full, &compared, &refused);
	else
	{
		for (i = 0; i < sizeof(tasks) / sizeof(tasks[0]); i++)
		{
			if (!has_task(tasks[i]))
				continue;
			snprintf(name, sizeof(name), "expected/%s.jsonl", tasks[i]);
			check_file(root, name, NULL, &compared, &refused);
		}
	}
	report(table, compared, refused);
}

int
main(int argc, char **argv)
{
	static const char *const all[] = {
		"ref", SET_NAMES
	};
	const char *full = NULL;	/* directory of the large checkpoint */
	const char *root;
	mb_arena	arena;
	document	text;
	int			first = 1;
	int			i;

	if (argc > 3 && strcmp(argv[1], "--precision") == 0)
	{
		if (!mb_precision_from_name(argv[2], &precision))
			give_up(argv[2]);
		argc -= 2;
		argv += 2;
	}
	if (argc > 3 && strcmp(argv[1], "--full") == 0)
	{
		full = argv[2];
		first = 3;
	}
	if (argc <= first)
		give_up("usage: golden_model [--precision NAME] [--full CHECKPOINT] "
				"DIRECTORY [TABLE ...]");
	root = argv[first++];
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	text = read_file(root, full != NULL ? "spread.json" :
					 "expected/spread.json");
	if (text.text == NULL)
		give_up("spread.json");
	spread = parse(&text, "spread.json", &arena);
	if (full != NULL)
		spread = mb_json_get(spread, "spread");
	if (argc > first)
		for (i = first; i < argc; i++)
			check_table(argv[i], root, full);
	else
		for (i = 0; i < (int) (sizeof(all) / sizeof(all[0])); i++)
			check_table(all[i], root, full);
	mb_arena_free(&arena);
	free(text.text);
	return done_testing();
}
