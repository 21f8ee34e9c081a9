/*-------------------------------------------------------------------------
 *
 * config_write.c
 *	  mb_config to the text of a config.json.
 *
 * Depends on model/config.h, model/config_keys.h, model/config_names.h,
 * model/family.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/config.h"

#include "model/config_keys.h"
#include "model/config_names.h"
#include "model/family.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *
mb_activation_name(mb_activation activation)
{
	return mb_find_name(activations, LENGTH(activations),
						(uint32_t) activation);
}

/* Grows never: "size" was computed for the longest possible text. */
typedef struct writer
{
	char	   *text;
	size_t		size;
	size_t		used;
} writer;

static void put(writer *out, const char *format,...) MB_PRINTF(2, 3);

static void
put(writer *out, const char *format,...)
{
	va_list		args;
	int			written;

	va_start(args, format);
	written = vsnprintf(out->text + out->used, out->size - out->used, format,
						args);
	va_end(args);
	if (written > 0 && (size_t) written < out->size - out->used)
		out->used += (size_t) written;
}

/* The shortest decimal that reads back as the same float or double. */
static void
put_number(writer *out, const char *key, double value, bool single)
{
	int			digits = single ? 6 : 15;
	char		text[40];

	for (;; digits++)
	{
		double		again;

		snprintf(text, sizeof(text), "%.*g", digits, value);
		again = strtod(text, NULL);
		if (digits >= 17 || again == value ||
			(single && (float) again == (float) value))
			break;
	}
	put(out, ", \"%s\": %s", key, text);
}

static void
put_name(writer *out, const char *key, const char *name)
{
	if (name == NULL)
		put(out, ", \"%s\": null", key);
	else
		put(out, ", \"%s\": \"%s\"", key, name);
}

static void
put_architecture(writer *out, const mb_config *config)
{
	const char *name = mb_find_name(architectures, LENGTH(architectures),
									config->architecture);

	if (name == NULL)
		put(out, ", \"architectures\": null");
	else
		put(out, ", \"architectures\": [\"%s%s\"]",
			mb_family_of(config)->class_prefix, name);
}

/* Keys of SequenceSummary, where the family has them */
static void
put_summary(writer *out, const mb_config *config)
{
	put(out, ", \"summary_type\": \"first\"");
	put_name(out, "summary_activation",
			 mb_activation_name((mb_activation) config->summary_activation));
}

mb_status
mb_config_write(const mb_config *config, mb_arena *arena, char **text,
				mb_error *err)
{
	const mb_family *family = mb_family_of(config);
	mb_config	copy = *config;
	writer		out;
	size_t		i;

	/* 35 keys of at most 80 characters with their values. */
	out.size = 4096;
	out.used = 0;
	out.text = mb_arena_alloc(arena, out.size, 1);
	if (out.text == NULL)
		return mb_fail(err, MB_ERR_MEMORY,
					   "not enough memory to write the configuration");

	put(&out, "{\"model_type\": \"%s\"", family->model_type);
	put_architecture(&out, config);
	for (i = 0; i < family->size_count; i++)
	{
		if (family->sizes[i].key != NULL)
			put(&out, ", \"%s\": %u", family->sizes[i].key,
				*mb_size_member(&copy, &family->sizes[i]));
	}
	if (config->pad_token_id < 0)
		put_name(&out, "pad_token_id", NULL);
	else
		put(&out, ", \"pad_token_id\": %d", config->pad_token_id);
	put_name(&out, family->activation_key,
			 mb_activation_name((mb_activation) config->activation));
	if (family->normalization)
		put_name(&out, "normalization_type",
				 mb_find_name(normalizations, LENGTH(normalizations),
							  config->layer_norm));
	if (family->epsilon_key != NULL)
		put_number(&out, family->epsilon_key, config->layer_norm_eps, true);
	for (i = 0; i < family->number_count; i++)
	{
		const mb_number_key *number = &family->numbers[i];
		double		value = *mb_number_member(&copy, number);

		if (number->key != NULL && value < 0)
			put_name(&out, number->key, NULL);
		else if (number->key != NULL)
			put_number(&out, number->key, value, false);
	}
	for (i = 0; i < family->flag_count; i++)
	{
		if (family->flags[i].key != NULL)
			put(&out, ", \"%s\": %s", family->flags[i].key,
				*mb_flag_member(&copy, &family->flags[i]) ? "true" : "false");
	}
	if (family->summary)
		put_summary(&out, config);
	put(&out, ", \"is_decoder\": false");
	put_name(&out, "problem_type",
			 mb_find_name(problems, LENGTH(problems), config->problem));
	put(&out, ", \"num_labels\": %u", config->num_labels);
	put(&out, ", \"true_hidden_size\": %u", config->true_hidden_size);
	put(&out, ", \"head_size\": %u", config->head_size);
	put(&out, ", \"attention_size\": %u}", config->attention_size);
	*text = out.text;
	return MB_OK;
}
