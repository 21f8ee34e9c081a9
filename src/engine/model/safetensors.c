/*-------------------------------------------------------------------------
 *
 * safetensors.c
 *	  Checking a safetensors header.
 *
 * A header is believed only as a whole: every entry has its three keys, its
 * bytes are exactly those of its shape, no name comes twice, and the tensors
 * in order of their offsets cover the data without hole or overlap.  Names and
 * offsets are both sorted with one merge sort, so that the worst header costs
 * n log n like any other.
 *
 * Where the format's text and its reference reader differ, the stricter of the
 * two is followed.
 *
 * Source: huggingface/safetensors; spec formats.md section 1 (rules by number
 * in parentheses).
 * Depends on model/safetensors.h, base/json.h.
 *
 *-------------------------------------------------------------------------
 */
#include "model/safetensors.h"

#include "base/json.h"

#include <string.h>

/* Entries handled between two questions to mb_cancel; about a millisecond. */
#define POLL_ENTRIES 4096

/* ----------
 * Errors
 * ----------
 */

/* What every step needs to know. */
typedef struct header_reader
{
	const char *what;
	uint64_t	data_start;		/* where the data begins in the file */
	uint64_t	data_size;
	mb_arena   *arena;
	const mb_cancel *cancel;
	mb_error   *err;
} header_reader;

static mb_status
fail_tensor(const header_reader *reader, const char *name, const char *reason)
{
	return mb_fail(reader->err, MB_ERR_DATA,
				   "\"%.200s\" is not a valid safetensors file: tensor "
				   "\"%.100s\" %s", reader->what, name, reason);
}

static mb_status
fail_file(const char *what, const char *reason, mb_error *err)
{
	return mb_fail(err, MB_ERR_DATA,
				   "\"%.200s\" is not a valid safetensors file: %s",
				   what, reason);
}

static mb_status
fail_memory(const header_reader *reader)
{
	return mb_fail(reader->err, MB_ERR_MEMORY,
				   "not enough memory to read the header of \"%.200s\"",
				   reader->what);
}

static mb_status
poll_cancel(const header_reader *reader, size_t step)
{
	if (step % POLL_ENTRIES == 0 && mb_cancelled(reader->cancel))
		return mb_fail(reader->err, MB_ERR_CANCELLED,
					   "reading \"%.200s\" was cancelled", reader->what);
	return MB_OK;
}

/* ----------
 * Entries (rules 4, 6 and 7)
 * ----------
 */

/* The member of that name; a repeated one is an error, as is a missing one. */
static mb_status
entry_member(const header_reader *reader, const mb_json *entry,
			 const char *key, const mb_json **found)
{
	const mb_json *member;
	size_t		length = strlen(key);

	*found = NULL;
	for (member = entry->child; member != NULL; member = member->next)
	{
		if (member->key_length != length ||
			memcmp(member->key, key, length) != 0)
			continue;
		if (*found != NULL)
			return mb_fail(reader->err, MB_ERR_DATA,
						   "\"%.200s\" is not a valid safetensors file: tensor "
						   "\"%.100s\" has \"%s\" twice", reader->what,
						   entry->key, key);
		*found = member;
	}
	if (*found == NULL)
		return mb_fail(reader->err, MB_ERR_DATA,
					   "\"%.200s\" is not a valid safetensors file: tensor "
					   "\"%.100s\" has no \"%s\"", reader->what,
					   entry->key, key);
	return MB_OK;
}

static mb_status
read_dtype(const header_reader *reader, const mb_json *entry,
		   mb_tensor_entry *tensor, uint32_t *bits)
{
	const mb_json *member;
	const mb_dtype_info *info;
	mb_status	status = entry_member(reader, entry, "dtype", &member);

	if (status != MB_OK)
		return status;
	if (member->type != MB_JSON_STRING)
		return fail_tensor(reader, tensor->name,
						   "has a \"dtype\" that is not a string");
	info = strlen(member->text) == member->length ?
		mb_dtype_find(member->text) : NULL;
	if (info == NULL)
		return mb_fail(reader->err, MB_ERR_DATA,
					   "\"%.200s\" is not a valid safetensors file: tensor "
					   "\"%.100s\" has the unknown dtype \"%.40s\"",
					   reader->what, tensor->name, member->text);
	tensor->dtype = info->dtype;
	tensor->dtype_name = info->name;
	*bits = info->bits;
	return MB_OK;
}

/* *elements is the product of the shape, 1 for []. */
static mb_status
read_shape(const header_reader *reader, const mb_json *entry,
		   mb_tensor_entry *tensor, uint64_t *elements)
{
	const mb_json *member;
	const mb_json *size;
	mb_status	status = entry_member(reader, entry, "shape", &member);

	if (status != MB_OK)
		return status;
	if (member->type != MB_JSON_ARRAY || member->length > UINT32_MAX)
		return fail_tensor(reader, tensor->name,
						   "has a \"shape\" that is not a list of integers");

	*elements = 1;
	tensor->rank = 0;
	for (size = member->child; size != NULL; size = size->next)
	{
		uint64_t	value;

		if (!mb_json_uint64(size, &value))
			return fail_tensor(reader, tensor->name,
							   "has a \"shape\" that is not a list of "
							   "non-negative integers");
		if (__builtin_mul_overflow(*elements, value, elements))
			return fail_tensor(reader, tensor->name,
							   "has a \"shape\" that is too large");
		if (tensor->rank < MB_TENSOR_MAX_RANK)
			tensor->shape[tensor->rank] = value;
		tensor->rank++;
	}
	return MB_OK;
}

static mb_status
read_offsets(const header_reader *reader, const mb_json *entry,
			 mb_tensor_entry *tensor)
{
	const mb_json *member;
	mb_status	status = entry_member(reader, entry, "data_offsets", &member);

	if (status != MB_OK)
		return status;
	if (member->type != MB_JSON_ARRAY || member->length != 2 ||
		!mb_json_uint64(member->child, &tensor->begin) ||
		!mb_json_uint64(member->child->next, &tensor->end))
		return fail_tensor(reader, tensor->name,
						   "has \"data_offsets\" that are not two "
						   "non-negative integers");
	if (tensor->begin > tensor->end)
		return fail_tensor(reader, tensor->name, "ends before it begins");
	if (tensor->end > reader->data_size)
	{
		fail_tensor(reader, tensor->name, "ends after the file");
		mb_detail(reader->err, "It ends at byte %llu of %llu bytes of data.",
				  (unsigned long long) tensor->end,
				  (unsigned long long) reader->data_size);
		return MB_ERR_DATA;
	}
	return MB_OK;
}

static mb_status
read_entry(const header_reader *reader, const mb_json *entry,
		   mb_tensor_entry *tensor)
{
	uint32_t	bits = 0;
	uint64_t	elements = 0;
	uint64_t	size;
	mb_status	status;

	memset(tensor, 0, sizeof(*tensor));
	tensor->name = entry->key;
	if (strlen(entry->key) != entry->key_length)
		return fail_tensor(reader, tensor->name,
						   "has a zero byte in its name");
	if (entry->type != MB_JSON_OBJECT)
		return fail_tensor(reader, tensor->name, "is not a JSON object");

	status = read_dtype(reader, entry, tensor, &bits);
	if (status == MB_OK)
		status = read_shape(reader, entry, tensor, &elements);
	if (status == MB_OK)
		status = read_offsets(reader, entry, tensor);
	if (status != MB_OK)
		return status;

	if (__builtin_mul_overflow(elements, (uint64_t) bits, &size))
		return fail_tensor(reader, tensor->name, "is too large");
	if (size % 8 != 0)
		return fail_tensor(reader, tensor->name,
						   "does not fill a whole number of bytes");
	if (size / 8 != tensor->end - tensor->begin)
	{
		fail_tensor(reader, tensor->name,
					"has a size that does not fit its shape");
		mb_detail(reader->err, "Its offsets span %llu bytes, its shape and "
				  "dtype %s need %llu.",
				  (unsigned long long) (tensor->end - tensor->begin),
				  tensor->dtype_name, (unsigned long long) (size / 8));
		return MB_ERR_DATA;
	}
	return MB_OK;
}

/* ----------
 * Metadata (rule 5 and section 1.4)
 * ----------
 */

static mb_status
read_metadata(const header_reader *reader, const mb_json *metadata)
{
	const mb_json *member;
	const mb_json *format;

	if (metadata->type == MB_JSON_NULL)
		return MB_OK;
	if (metadata->type != MB_JSON_OBJECT)
		return fail_file(reader->what, "\"__metadata__\" is not an object",
						 reader->err);
	for (member = metadata->child; member != NULL; member = member->next)
	{
		if (member->type != MB_JSON_STRING)
			return fail_file(reader->what,
							 "\"__metadata__\" has a value that is not a "
							 "string", reader->err);
	}

	format = mb_json_get(metadata, "format");
	/* transformers takes a file of MLX for one of PyTorch's layout */
	if (format != NULL && !mb_json_is_string(format, "pt") &&
		!mb_json_is_string(format, "mlx"))
	{
		mb_fail(reader->err, MB_ERR_UNSUPPORTED,
				"\"%.200s\" holds weights of format \"%.40s\"",
				reader->what, format->text);
		mb_detail(reader->err, "Only PyTorch's tensor names and layouts, "
				  "format \"pt\", are known.");
		return MB_ERR_UNSUPPORTED;
	}
	return MB_OK;
}

/* ----------
 * Order of the entries
 * ----------
 */

/* Less than, equal to or greater than 0, as with memcmp. */
typedef int (*entry_order) (const mb_tensor_entry *a,
							const mb_tensor_entry *b);

static int
order_by_name(const mb_tensor_entry *a, const mb_tensor_entry *b)
{
	return strcmp(a->name, b->name);
}

static int
order_by_data(const mb_tensor_entry *a, const mb_tensor_entry *b)
{
	if (a->begin != b->begin)
		return a->begin < b->begin ? -1 : 1;
	if (a->end != b->end)
		return a->end < b->end ? -1 : 1;
	return 0;
}

/* Merge the sorted runs [from, middle) and [middle, to). */
static mb_status
merge_runs(const header_reader *reader, const mb_tensor_entry *entries,
		   const uint32_t *source, uint32_t *target, size_t from,
		   size_t middle, size_t to, entry_order order)
{
	size_t		left = from;
	size_t		right = middle;
	size_t		i;

	for (i = from; i < to; i++)
	{
		mb_status	status = poll_cancel(reader, i);

		if (status != MB_OK)
			return status;
		if (left < middle &&
			(right >= to || order(&entries[source[left]],
								  &entries[source[right]]) <= 0))
			target[i] = source[left++];
		else
			target[i] = source[right++];
	}
	return MB_OK;
}

/*
 * Sort the numbers 0 ... count - 1 by their entries.  *sorted is one of the
 * two arrays of count numbers that it needs.
 */
static mb_status
sort_entries(const header_reader *reader, const mb_tensor_entry *entries,
			 size_t count, entry_order order, uint32_t *one, uint32_t *two,
			 uint32_t **sorted)
{
	uint32_t   *source = one;
	uint32_t   *target = two;
	size_t		width;
	size_t		i;

	for (i = 0; i < count; i++)
		source[i] = (uint32_t) i;
	for (width = 1; width < count; width *= 2)
	{
		uint32_t   *swap = source;
		size_t		from;

		for (from = 0; from < count; from += 2 * width)
		{
			size_t		rest = count - from;
			mb_status	status;

			status = merge_runs(reader, entries, source, target, from,
								from + (rest < width ? rest : width),
								from + (rest < 2 * width ? rest : 2 * width),
								order);
			if (status != MB_OK)
				return status;
		}
		source = target;
		target = swap;
	}
	*sorted = source;
	return MB_OK;
}

/* Rule 6: no name twice. */
static mb_status
check_names(const header_reader *reader, const mb_tensor_entry *entries,
			size_t count, uint32_t *one, uint32_t *two)
{
	uint32_t   *sorted;
	size_t		i;
	mb_status	status;

	status = sort_entries(reader, entries, count, order_by_name, one, two,
						  &sorted);
	if (status != MB_OK)
		return status;
	for (i = 1; i < count; i++)
	{
		const char *name = entries[sorted[i]].name;

		status = poll_cancel(reader, i);
		if (status != MB_OK)
			return status;
		if (strcmp(entries[sorted[i - 1]].name, name) == 0)
			return fail_tensor(reader, name, "comes twice");
	}
	return MB_OK;
}

/* Rule 8: the tensors, in order, cover the data exactly. */
static mb_status
check_chain(const header_reader *reader, const mb_tensor_entry *ordered,
			size_t count)
{
	uint64_t	at = 0;
	size_t		i;

	for (i = 0; i < count; i++)
	{
		if (ordered[i].begin != at)
			return fail_tensor(reader, ordered[i].name,
							   ordered[i].begin < at ?
							   "overlaps the tensor before it" :
							   "leaves a hole before it");
		at = ordered[i].end;
	}
	if (at != reader->data_size)
	{
		fail_file(reader->what, "its tensors do not cover its data",
				  reader->err);
		mb_detail(reader->err, "They end at byte %llu of %llu bytes of data.",
				  (unsigned long long) at,
				  (unsigned long long) reader->data_size);
		return MB_ERR_DATA;
	}
	return MB_OK;
}

/* Check names and order; *ordered gets the entries in order of the data. */
static mb_status
order_entries(const header_reader *reader, const mb_tensor_entry *entries,
			  size_t count, mb_tensor_entry **ordered)
{
	uint32_t   *one = mb_arena_alloc(reader->arena, count, sizeof(uint32_t));
	uint32_t   *two = mb_arena_alloc(reader->arena, count, sizeof(uint32_t));
	uint32_t   *sorted;
	size_t		i;
	mb_status	status;

	*ordered = mb_arena_alloc(reader->arena, count, sizeof(mb_tensor_entry));
	if (one == NULL || two == NULL || *ordered == NULL)
		return fail_memory(reader);

	status = check_names(reader, entries, count, one, two);
	if (status != MB_OK)
		return status;
	status = sort_entries(reader, entries, count, order_by_data, one, two,
						  &sorted);
	if (status != MB_OK)
		return status;
	for (i = 0; i < count; i++)
	{
		status = poll_cancel(reader, i);
		if (status != MB_OK)
			return status;
		(*ordered)[i] = entries[sorted[i]];
	}
	return check_chain(reader, *ordered, count);
}

/* ----------
 * The header as a whole
 * ----------
 */

mb_status
mb_safetensors_header_length(const uint8_t *first8, uint64_t file_size,
							 const char *what, size_t *length, mb_error *err)
{
	uint64_t	n = 0;
	int			i;

	if (file_size < MB_SAFETENSORS_PREFIX)
		return fail_file(what, "it is shorter than 8 bytes", err);
	for (i = MB_SAFETENSORS_PREFIX - 1; i >= 0; i--)
		n = n << 8 | first8[i];
	if (n > MB_SAFETENSORS_MAX_HEADER)
	{
		fail_file(what, "its header is too large", err);
		mb_detail(err, "The header would have %llu bytes; at most %d are "
				  "allowed.", (unsigned long long) n,
				  MB_SAFETENSORS_MAX_HEADER);
		return MB_ERR_DATA;
	}
	if (n > file_size - MB_SAFETENSORS_PREFIX)
	{
		fail_file(what, "its header ends after the file", err);
		mb_detail(err, "The header would have %llu bytes; the file has %llu.",
				  (unsigned long long) n, (unsigned long long) file_size);
		return MB_ERR_DATA;
	}
	*length = (size_t) n;
	return MB_OK;
}

/* Read every member of the header; *count is the number of tensors. */
static mb_status
read_entries(const header_reader *reader, const mb_json *root,
			 mb_tensor_entry *entries, size_t *count)
{
	const mb_json *member;
	bool		metadata = false;
	size_t		n = 0;

	for (member = root->child; member != NULL; member = member->next)
	{
		mb_status	status;

		if (member->key_length == strlen("__metadata__") &&
			memcmp(member->key, "__metadata__", member->key_length) == 0)
		{
			if (metadata)
				return fail_file(reader->what, "\"__metadata__\" comes twice",
								 reader->err);
			metadata = true;
			status = read_metadata(reader, member);
		}
		else
			status = read_entry(reader, member, &entries[n++]);
		if (status == MB_OK)
			status = poll_cancel(reader, n);
		if (status != MB_OK)
			return status;
	}
	*count = n;
	return MB_OK;
}

mb_status
mb_safetensors_read(const char *header, size_t length, uint64_t file_size,
					const char *what, mb_arena *arena,
					const mb_cancel *cancel, mb_safetensors *result,
					mb_error *err)
{
	header_reader reader;
	mb_json    *root;
	mb_tensor_entry *entries;
	size_t		i;
	mb_status	status;

	if (length > MB_SAFETENSORS_MAX_HEADER ||
		file_size < MB_SAFETENSORS_PREFIX ||
		length > file_size - MB_SAFETENSORS_PREFIX)
		return fail_file(what, "its header does not fit the file", err);
	if (length == 0 || header[0] != '{')
		return fail_file(what, "its header does not begin with \"{\"", err);
	status = mb_json_parse(header, length, what, false, arena, cancel, &root,
						   err);
	if (status != MB_OK)
		return status;

	reader.what = what;
	reader.data_start = MB_SAFETENSORS_PREFIX + length;
	reader.data_size = file_size - reader.data_start;
	reader.arena = arena;
	reader.cancel = cancel;
	reader.err = err;

	entries = mb_arena_alloc(arena, root->length, sizeof(mb_tensor_entry));
	if (entries == NULL)
		return fail_memory(&reader);
	status = read_entries(&reader, root, entries, &result->count);
	if (status == MB_OK)
		status = order_entries(&reader, entries, result->count,
							   &result->entries);
	if (status != MB_OK)
		return status;

	for (i = 0; i < result->count; i++)
	{
		result->entries[i].begin += reader.data_start;
		result->entries[i].end += reader.data_start;
	}
	return MB_OK;
}
