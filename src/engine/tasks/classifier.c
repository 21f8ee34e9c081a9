/*-------------------------------------------------------------------------
 *
 * classifier.c
 *	  A classifier that was fitted on a model's frozen states: reading and
 *	  writing it, and its logits.
 *
 * Who may create a classifier chooses every byte of its documents, so all that
 * the logits rest on is checked here: sizes against each other and against the
 * model, and numbers.
 *
 * Depends on base/dtype.h, model/safetensors.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/classifier.h"

#include "base/dtype.h"
#include "model/safetensors.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define SETTINGS_NAME "classifier.json"
#define WEIGHTS_NAME "classifier.safetensors"

/* Multiply-adds between two looks for a cancel. */
#define LOGITS_STEP ((size_t) 1 << 20)

/* The header that mb_classifier_weights_write() writes, with room for sizes. */
#define HEADER_SIZE 248

/* ----------
 * Reading
 * ----------
 */

static mb_status
fail_member(const char *member, const char *what, mb_error *err)
{
	return mb_fail(err, MB_ERR_DATA, "\"%s\" in \"%s\" is not %s", member,
				   SETTINGS_NAME, what);
}

static mb_status
read_pooling(const mb_json *value, mb_poolings *pooling, mb_error *err)
{
	const mb_json *item;

	*pooling = 0;
	if (value == NULL || value->type != MB_JSON_ARRAY)
		return fail_member("pooling", "a list of names", err);
	for (item = value->child; item != NULL; item = item->next)
	{
		mb_pooling	mode = item->type == MB_JSON_STRING ?
			mb_pooling_from_name(item->text) : 0;

		if (mode == 0 || !mb_poolings_append(pooling, mode))
			return fail_member("pooling", "a list of names of poolings", err);
	}
	if (!mb_poolings_valid(*pooling))
		return fail_member("pooling", "a list of one name or more", err);
	return MB_OK;
}

static mb_status
read_labels(const mb_json *root, mb_arena *arena, mb_labels *labels,
			mb_error *err)
{
	const mb_json *names = mb_json_get(root, "id2label");
	mb_status	status;
	size_t		i;

	if (names == NULL || names->type != MB_JSON_OBJECT || names->length == 0)
		return fail_member("id2label", "an object with labels", err);
	if (names->length > MB_MOST_LABELS)
		return mb_fail(err, MB_ERR_LIMIT, "\"id2label\" in \"%s\" has over %d "
					   "labels", SETTINGS_NAME, MB_MOST_LABELS);
	status = mb_labels_read(root, NULL, names->length, arena, labels, err);
	if (status != MB_OK)
		return status;
	for (i = 0; i < labels->outputs; i++)
		if (labels->names[i].text == NULL)
			return fail_member("id2label", "one label for each output", err);
	if (labels->problem == MB_PROBLEM_NONE)
		return fail_member("problem_type", "a kind of problem", err);
	if ((labels->problem == MB_PROBLEM_REGRESSION) != (labels->outputs == 1))
		return fail_member("id2label", "of the length that fits the problem",
						   err);
	return MB_OK;
}

static mb_status
read_settings(const mb_json *root, const mb_config *config, mb_arena *arena,
			  mb_classifier *c, mb_error *err)
{
	const mb_json *input = mb_json_get(root, "classifier");
	int64_t		layer;
	mb_status	status;

	if (input == NULL || input->type != MB_JSON_OBJECT)
		return fail_member("classifier", "an object", err);
	if (!mb_json_int(mb_json_get(input, "layer"), 0, config->layers, &layer))
		return fail_member("layer", "a layer of the model", err);
	c->layer = (uint32_t) layer;
	status = read_pooling(mb_json_get(input, "pooling"), &c->pooling, err);
	if (status == MB_OK && c->layer != config->layers &&
		mb_poolings_contain(c->pooling, MB_POOL_POOLER))
		status = fail_member("pooling", "one of this layer", err);
	if (status == MB_OK)
		status = read_labels(root, arena, &c->labels, err);
	return status;
}

/* A tensor of that name and shape as floats; columns 0: it has rank 1. */
static mb_status
read_tensor(const mb_safetensors *file, const uint8_t *bytes,
			const char *name, size_t rows, size_t columns, mb_arena *arena,
			float **values, mb_error *err)
{
	const mb_tensor_entry *entry = NULL;
	size_t		count;
	size_t		i;

	for (i = 0; i < file->count; i++)
		if (strcmp(file->entries[i].name, name) == 0)
			entry = &file->entries[i];
	if (entry == NULL || entry->dtype != MB_DTYPE_F32 ||
		entry->rank != (columns > 0 ? 2 : 1) || entry->shape[0] != rows ||
		(columns > 0 && entry->shape[1] != columns))
		return mb_fail(err, MB_ERR_DATA, "tensor \"%s\" in \"%s\" is not what "
					   "\"%s\" says", name, WEIGHTS_NAME, SETTINGS_NAME);
	count = (size_t) (entry->end - entry->begin) / sizeof(float);
	*values = mb_arena_alloc(arena, count, sizeof(float));
	if (*values == NULL)
		return mb_fail(err, MB_ERR_MEMORY,
					   "not enough memory for a classifier of %zu outputs",
					   rows);
	mb_widen(MB_DTYPE_F32, bytes + entry->begin, count, *values);
	for (i = 0; i < count; i++)
		if (!isfinite((*values)[i]))
			return mb_fail(err, MB_ERR_DATA, "tensor \"%s\" in \"%s\" has a "
						   "number that is not finite", name, WEIGHTS_NAME);
	return MB_OK;
}

static mb_status
read_weights(const uint8_t *bytes, size_t size, mb_arena *arena,
			 const mb_cancel *cancel, mb_classifier *c, mb_error *err)
{
	size_t		outputs = c->labels.outputs;
	mb_safetensors file;
	size_t		length;
	mb_status	status;

	if (size < MB_SAFETENSORS_PREFIX)
		return mb_fail(err, MB_ERR_DATA, "\"%s\" is not a safetensors file",
					   WEIGHTS_NAME);
	status = mb_safetensors_header_length(bytes, size, WEIGHTS_NAME, &length,
										  err);
	if (status == MB_OK)
		status = mb_safetensors_read((const char *) bytes +
									 MB_SAFETENSORS_PREFIX, length, size,
									 WEIGHTS_NAME, arena, cancel, &file, err);
	if (status == MB_OK)
		status = read_tensor(&file, bytes, "weight", outputs, c->width, arena,
							 &c->weight, err);
	if (status == MB_OK)
		status = read_tensor(&file, bytes, "bias", outputs, 0, arena,
							 &c->bias, err);
	return status;
}

mb_status
mb_classifier_read(const mb_json *root, const void *weights,
				   size_t weights_size, const mb_config *config,
				   mb_arena *arena, const mb_cancel *cancel,
				   mb_classifier *classifier, mb_error *err)
{
	mb_status	status;

	memset(classifier, 0, sizeof(*classifier));
	status = read_settings(root, config, arena, classifier, err);
	if (status != MB_OK)
		return status;
	classifier->width = (size_t) mb_poolings_count(classifier->pooling) *
		config->hidden_size;
	return read_weights(weights, weights_size, arena, cancel, classifier, err);
}

/* ----------
 * Writing
 * ----------
 */

bool
mb_classifier_weights_size(size_t outputs, size_t width, size_t *size)
{
	size_t		rows;

	return mb_size_add(width, 1, &rows) &&
		mb_size_multiply(rows, outputs, size) &&
		mb_size_multiply(*size, sizeof(float), size) &&
		mb_size_add(*size, MB_SAFETENSORS_PREFIX + HEADER_SIZE, size);
}

/* Little-endian, as safetensors has it. */
static uint8_t *
put_numbers(uint8_t *at, const float *values, size_t count)
{
	size_t		i;
	int			byte;

	for (i = 0; i < count; i++)
	{
		uint32_t	bits = mb_float_bits(values[i]);

		for (byte = 0; byte < 4; byte++)
			*at++ = (uint8_t) (bits >> 8 * byte);
	}
	return at;
}

void
mb_classifier_weights_write(const float *weight, const float *bias,
							size_t outputs, size_t width, void *out)
{
	size_t		middle = outputs * width * sizeof(float);
	size_t		end = middle + outputs * sizeof(float);
	char		header[HEADER_SIZE + 1];
	uint8_t    *at = out;
	int			length;

	length = snprintf(header, sizeof(header),
					  "{\"weight\":{\"dtype\":\"F32\",\"shape\":[%zu,%zu],"
					  "\"data_offsets\":[0,%zu]},\"bias\":{\"dtype\":\"F32\","
					  "\"shape\":[%zu],\"data_offsets\":[%zu,%zu]}}",
					  outputs, width, middle, outputs, middle, end);
	MB_ASSERT(length > 0 && length <= HEADER_SIZE);
	memset(header + length, ' ', (size_t) (HEADER_SIZE - length));
	memset(at, 0, MB_SAFETENSORS_PREFIX);
	at[0] = HEADER_SIZE;
	memcpy(at + MB_SAFETENSORS_PREFIX, header, HEADER_SIZE);
	at = put_numbers(at + MB_SAFETENSORS_PREFIX + HEADER_SIZE, weight,
					 outputs * width);
	(void) put_numbers(at, bias, outputs);
}

/* ----------
 * Logits
 * ----------
 */

mb_status
mb_classifier_logits(const mb_classifier *classifier,
					 const mb_kernels *kernels, const float *vector,
					 float *out, const mb_cancel *cancel, mb_error *err)
{
	size_t		width = classifier->width;
	size_t		rows = 1 + LOGITS_STEP / (width + 1);
	size_t		i;

	for (i = 0; i < classifier->labels.outputs; i++)
	{
		if (i % rows == 0 && mb_cancelled(cancel))
			return mb_fail_cancelled(err, NULL);
		out[i] = (float) (kernels->dot_wide(vector,
											classifier->weight + i * width,
											width) + classifier->bias[i]);
	}
	return MB_OK;
}
