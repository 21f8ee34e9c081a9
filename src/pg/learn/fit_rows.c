/*-------------------------------------------------------------------------
 *
 * fit_rows.c
 *	  What fit() gathers: rows with their features, and labels.
 *
 * Labels get numbers as they come; the order that the result depends on is made
 * at the end (fit_result.c), so that neither the order of rows nor who read
 * them shows in it.
 *
 * Depends on server/pg.h, server/adapt.h, server/guc.h, learn/fit.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "server/guc.h"
#include "learn/fit.h"

#include "common/hashfn.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "miscadmin.h"
#include "utils/memutils.h"

/* Features are allocated in blocks of these sizes, or one row's. */
#define BLOCK_SMALLEST ((size_t) 64 * 1024)
#define BLOCK_LARGEST ((size_t) 8 * 1024 * 1024)

/* An entry of the table of labels: the key is the text that it points to. */
typedef struct LabelEntry
{
	const text *label;
	uint32		number;
} LabelEntry;

static uint32
label_hash(const void *key, Size size)
{
	const text *label = *(const text *const *) key;

	(void) size;
	return hash_bytes((const unsigned char *) VARDATA_ANY(label),
					  (int) VARSIZE_ANY_EXHDR(label));
}

static int
label_compare(const void *a, const void *b, Size size)
{
	const text *x = *(const text *const *) a;
	const text *y = *(const text *const *) b;

	(void) size;
	if (VARSIZE_ANY_EXHDR(x) != VARSIZE_ANY_EXHDR(y))
		return 1;
	return memcmp(VARDATA_ANY(x), VARDATA_ANY(y), VARSIZE_ANY_EXHDR(x));
}

FitState *
fit_state_make(MemoryContext context, mb_fit_kind kind)
{
	FitState   *state = MemoryContextAllocZero(context, sizeof(FitState));
	HASHCTL		control = {0};

	state->context = context;
	state->kind = kind;
	state->room = 64;
	state->rows = MemoryContextAlloc(context,
									 state->room * sizeof(mb_fit_row));
	state->label_room = 16;
	state->labels = MemoryContextAlloc(context,
									   state->label_room * sizeof(text *));
	control.keysize = sizeof(text *);
	control.entrysize = sizeof(LabelEntry);
	control.hash = label_hash;
	control.match = label_compare;
	control.hcxt = context;
	state->numbers = hash_create("mobilebert labels", 64, &control,
								 HASH_ELEM | HASH_FUNCTION | HASH_COMPARE |
								 HASH_CONTEXT);
	return state;
}

void
fit_state_check(const FitState *state, size_t more)
{
	size_t		size = state->bytes + state->room * sizeof(mb_fit_row);

	if (!mb_size_add(size, more, &size))
		size = SIZE_MAX;
	if (size / 1024 < (size_t) mobilebert_memory_limit)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("fit would take %zu kB of memory, but mobilebert.memory_limit is %d kB",
					size / 1024 + 1, mobilebert_memory_limit),
			 errdetail("There are %zu rows or more, with the states of %zu %s each.",
					   state->count, state->options.layers,
					   state->options.layers == 1 ? "layer" : "layers"),
			 state->options.layers > 1 ?
			 errhint("Name one with the option \"layer\", take a sample of the rows, or raise mobilebert.memory_limit.") :
			 errhint("Take a sample of the rows, or raise mobilebert.memory_limit.")));
}

uint32
fit_state_label(FitState *state, const text *label)
{
	LabelEntry *entry;
	bool		found;
	text	   *copy;

	entry = hash_search(state->numbers, &label, HASH_FIND, NULL);
	if (entry != NULL)
		return entry->number;
	if (state->label_count == MB_MOST_LABELS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are more than %d different labels",
						MB_MOST_LABELS),
				 errdetail("A model has no more than so many.")));
	if (state->label_count == state->label_room)
	{
		state->label_room *= 2;
		state->labels = repalloc_huge(state->labels,
									  state->label_room * sizeof(text *));
	}
	state->bytes += VARSIZE_ANY(label) + sizeof(LabelEntry) + sizeof(text *);
	fit_state_check(state, 0);
	copy = MemoryContextAlloc(state->context,
							  VARHDRSZ + VARSIZE_ANY_EXHDR(label));
	SET_VARSIZE(copy, VARHDRSZ + VARSIZE_ANY_EXHDR(label));
	memcpy(VARDATA(copy), VARDATA_ANY(label), VARSIZE_ANY_EXHDR(label));
	entry = hash_search(state->numbers, &copy, HASH_ENTER, &found);
	entry->number = (uint32) state->label_count;
	state->labels[state->label_count++] = copy;
	return entry->number;
}

/* Bytes of the row's features. */
static size_t
feature_bytes(const FitState *state)
{
	return state->options.layers * state->width * sizeof(float);
}

/* Memory for a row's features, out of blocks that grow. */
static float *
take_features(FitState *state, size_t size)
{
	char	   *features;

	if (state->block_left < size)
	{
		size_t		block = Max(size, Min(BLOCK_LARGEST,
										  Max(BLOCK_SMALLEST,
											  state->count * size)));

		state->bytes += block;
		fit_state_check(state, 0);
		state->block = MemoryContextAllocHuge(state->context, block);
		state->block_left = block;
	}
	features = state->block;
	state->block += size;
	state->block_left -= size;
	return (float *) features;
}

float *
fit_state_row(FitState *state, mb_fit_row **row)
{
	float	   *features;

	if (state->count == state->room)
	{
		fit_state_check(state, state->room * sizeof(mb_fit_row));
		state->room *= 2;
		state->rows = repalloc_huge(state->rows,
									state->room * sizeof(mb_fit_row));
	}
	features = take_features(state, feature_bytes(state));
	*row = &state->rows[state->count++];
	memset(*row, 0, sizeof(mb_fit_row));
	(*row)->features = features;
	return features;
}

static int
compare_numbers(const void *a, const void *b)
{
	uint32		x = *(const uint32 *) a;
	uint32		y = *(const uint32 *) b;

	return (x > y) - (x < y);
}

void
fit_state_labels(FitState *state, mb_fit_row *row, const uint32 *numbers,
				 size_t count)
{
	uint32	   *items;
	size_t		kept = 0;
	size_t		i;

	row->target.labels.items = NULL;
	row->target.labels.count = 0;
	if (count == 0)
		return;
	state->bytes += count * sizeof(uint32);
	fit_state_check(state, 0);
	items = MemoryContextAllocHuge(state->context, count * sizeof(uint32));
	memcpy(items, numbers, count * sizeof(uint32));
	qsort(items, count, sizeof(uint32), compare_numbers);
	for (i = 0; i < count; i++)
		if (i == 0 || items[i] != items[kept - 1])
			items[kept++] = items[i];
	row->target.labels.items = items;
	row->target.labels.count = kept;
}

/* An error unless both parts are of one call. */
static void
check_same(const FitState *a, const FitState *b)
{
	const char *what = NULL;

	if (!mobilebert_same_value(a->model, b->model))
		what = "model";
	else if (!mobilebert_same_value(a->given, b->given))
		what = "options";
	if (what != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" of fit must be the same in all rows",
						what)));
	if (memcmp(a->sha256, b->sha256, sizeof(a->sha256)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the model became another one while rows were read")));
}

/* The target of a row of another state, by this one's numbers of labels. */
static void
copy_target(FitState *state, mb_fit_row *row, const mb_fit_row *from,
			const uint32 *numbers)
{
	uint32	   *items;
	size_t		i;

	switch (state->kind)
	{
		case MB_FIT_CLASS:
			row->target.label = numbers[from->target.label];
			break;
		case MB_FIT_LABELS:
			items = palloc(Max(from->target.labels.count, 1) *
						   sizeof(uint32));
			for (i = 0; i < from->target.labels.count; i++)
				items[i] = numbers[from->target.labels.items[i]];
			fit_state_labels(state, row, items, from->target.labels.count);
			pfree(items);
			break;
		case MB_FIT_NUMBER:
			row->target.number = from->target.number;
			break;
	}
}

void
fit_state_add(FitState *a, const FitState *b)
{
	uint32	   *numbers = palloc(Max(b->label_count, 1) * sizeof(uint32));
	size_t		i;

	check_same(a, b);
	for (i = 0; i < b->label_count; i++)
		numbers[i] = fit_state_label(a, b->labels[i]);
	for (i = 0; i < b->count; i++)
	{
		mb_fit_row *row;
		float	   *features = fit_state_row(a, &row);

		CHECK_FOR_INTERRUPTS();
		memcpy(features, b->rows[i].features, feature_bytes(a));
		memcpy(row->hash, b->rows[i].hash, sizeof(row->hash));
		copy_target(a, row, &b->rows[i], numbers);
	}
	pfree(numbers);
}

/* ----------
 * Sent to another process of the same server, in its own order of bytes
 * ----------
 */

static void
send_bytes(StringInfo buffer, const void *bytes, size_t size)
{
	pq_sendbytes(buffer, bytes, (int) size);
}

static void
send_value(StringInfo buffer, const void *value)
{
	int32		size = value == NULL ? -1 : (int32) VARSIZE_ANY_EXHDR(value);

	send_bytes(buffer, &size, sizeof(size));
	if (value != NULL)
		send_bytes(buffer, VARDATA_ANY(value), (size_t) size);
}

static void
send_row(const FitState *state, const mb_fit_row *row, StringInfo buffer)
{
	send_bytes(buffer, row->hash, sizeof(row->hash));
	send_bytes(buffer, row->features, feature_bytes(state));
	send_bytes(buffer, &row->target, sizeof(row->target));
	if (state->kind == MB_FIT_LABELS && row->target.labels.count > 0)
		send_bytes(buffer, row->target.labels.items,
				   row->target.labels.count * sizeof(uint32));
}

bytea *
fit_state_send(const FitState *state)
{
	size_t		size = state->bytes + state->count * sizeof(mb_fit_row);
	StringInfoData buffer;
	size_t		i;

	if (size + 64 * 1024 > MaxAllocSize)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a parallel worker has %zu kB of rows for fit, which is too much to be sent",
						size / 1024),
				 errhint("Name one layer with the option \"layer\", take a sample of the rows, or set max_parallel_workers_per_gather to 0.")));
	pq_begintypsend(&buffer);
	send_value(&buffer, state->model);
	send_value(&buffer, state->given);
	send_bytes(&buffer, state->sha256, sizeof(state->sha256));
	send_bytes(&buffer, &state->options, sizeof(state->options));
	send_bytes(&buffer, &state->kind, sizeof(state->kind));
	send_bytes(&buffer, &state->width, sizeof(state->width));
	send_bytes(&buffer, &state->label_count, sizeof(state->label_count));
	for (i = 0; i < state->label_count; i++)
		send_value(&buffer, state->labels[i]);
	send_bytes(&buffer, &state->count, sizeof(state->count));
	for (i = 0; i < state->count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		send_row(state, &state->rows[i], &buffer);
	}
	return pq_endtypsend(&buffer);
}

static void
receive_bytes(StringInfo buffer, void *bytes, size_t size)
{
	pq_copymsgbytes(buffer, bytes, (int) size);
}

/* Of any type with a length of four bytes before it; NULL as it was. */
static void *
receive_value(StringInfo buffer)
{
	int32		size;
	struct varlena *value;

	receive_bytes(buffer, &size, sizeof(size));
	if (size < 0)
		return NULL;
	value = palloc(VARHDRSZ + size);
	SET_VARSIZE(value, VARHDRSZ + size);
	receive_bytes(buffer, VARDATA(value), (size_t) size);
	return value;
}

static void
receive_row(FitState *state, StringInfo buffer)
{
	mb_fit_row *row;
	float	   *features = fit_state_row(state, &row);

	receive_bytes(buffer, row->hash, sizeof(row->hash));
	receive_bytes(buffer, features, feature_bytes(state));
	receive_bytes(buffer, &row->target, sizeof(row->target));
	if (state->kind == MB_FIT_LABELS && row->target.labels.count > 0)
	{
		size_t		count = row->target.labels.count;
		uint32	   *items = palloc(count * sizeof(uint32));

		receive_bytes(buffer, items, count * sizeof(uint32));
		fit_state_labels(state, row, items, count);
		pfree(items);
	}
}

FitState *
fit_state_receive(MemoryContext context, bytea *data)
{
	FitState   *state = fit_state_make(context, MB_FIT_CLASS);
	MemoryContext old = MemoryContextSwitchTo(context);
	StringInfoData buffer;
	size_t		labels;
	size_t		count;
	size_t		i;

	/* read where it lies: it may be large */
	buffer.data = VARDATA_ANY(data);
	buffer.len = buffer.maxlen = (int) VARSIZE_ANY_EXHDR(data);
	buffer.cursor = 0;
	state->model = receive_value(&buffer);
	state->given = receive_value(&buffer);
	receive_bytes(&buffer, state->sha256, sizeof(state->sha256));
	receive_bytes(&buffer, &state->options, sizeof(state->options));
	receive_bytes(&buffer, &state->kind, sizeof(state->kind));
	receive_bytes(&buffer, &state->width, sizeof(state->width));
	receive_bytes(&buffer, &labels, sizeof(labels));
	for (i = 0; i < labels; i++)
	{
		text	   *label = receive_value(&buffer);

		(void) fit_state_label(state, label);
		pfree(label);
	}
	receive_bytes(&buffer, &count, sizeof(count));
	for (i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		receive_row(state, &buffer);
	}
	pq_getmsgend(&buffer);
	MemoryContextSwitchTo(old);
	return state;
}
