/*-------------------------------------------------------------------------
 *
 * load.h
 *	  A Hugging Face directory as an mb_model in memory, for programs without
 *	  a server: weights are read, matched, widened and packed.
 *
 * Each file may be compressed (".gz", read through gzip).  Whatever is wrong
 * ends the program with a line of TAP: it is the caller's data, or memory.
 *
 * Depends on the engine and libc; functions are static, like tap.h's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LOAD_H
#define LOAD_H

#include "base/json.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/model.h"
#include "model/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH 1024
#define MOST_FILES 64

static mb_error error;

/* Stop with a reason: what is wrong then is the test's data, or memory. */
static void __attribute__((noreturn))
give_up(const char *what)
{
	printf("Bail out! %s: %s\n", what, error.message);
	exit(1);
}

/* Files */

typedef struct document
{
	char	   *text;
	size_t		length;
} document;

static document
read_stream(FILE *file)
{
	document	d = {NULL, 0};
	size_t		room = 0;
	size_t		n;

	do
	{
		if (d.length + 65536 > room)
		{
			room = 2 * room + 2 * 65536;
			d.text = realloc(d.text, room);
			if (d.text == NULL)
				give_up("memory");
		}
		n = fread(d.text + d.length, 1, 65536, file);
		d.length += n;
	} while (n > 0);
	d.text[d.length] = '\0';
	return d;
}

/* directory/name, or directory/name.gz; text NULL when there is neither. */
static document
read_file(const char *directory, const char *name)
{
	char		path[PATH];
	document	d = {NULL, 0};
	FILE	   *file;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	file = fopen(path, "rb");
	if (file != NULL)
	{
		d = read_stream(file);
		fclose(file);
		return d;
	}
	snprintf(path, sizeof(path), "%s/%s.gz", directory, name);
	file = fopen(path, "rb");
	if (file == NULL)
		return d;
	fclose(file);
	snprintf(path, sizeof(path), "gzip -dc '%s/%s.gz'", directory, name);
	file = popen(path, "r");
	if (file == NULL)
		give_up(path);
	d = read_stream(file);
	if (pclose(file) != 0)
		give_up(path);
	return d;
}

static mb_json *
parse(const document *d, const char *what, mb_arena *arena)
{
	mb_json    *root;

	if (mb_json_parse(d->text, d->length, what, true, arena, NULL, &root,
					  &error) != MB_OK)
		give_up(what);
	return root;
}

/* Checkpoints */

typedef struct checkpoint
{
	char		name[128];
	mb_model	model;
	mb_arena	arena;
} checkpoint;

/* One safetensors file of a checkpoint; its bytes stay for the widening. */
typedef struct shard
{
	document	bytes;
	mb_safetensors tensors;
	size_t		data;			/* offset of the data */
} shard;

static void
read_shard(const char *directory, const char *name, mb_arena *arena,
		   shard *result)
{
	size_t		header;

	result->bytes = read_file(directory, name);
	if (result->bytes.text == NULL)
		give_up(name);
	if (mb_safetensors_header_length((const uint8_t *) result->bytes.text,
									 result->bytes.length, name, &header,
									 &error) != MB_OK ||
		mb_safetensors_read(result->bytes.text + MB_SAFETENSORS_PREFIX, header,
							result->bytes.length, name, arena, NULL,
							&result->tensors, &error) != MB_OK)
		give_up(name);
}

/* The files that model.safetensors.index.json names, or model.safetensors */
static size_t
read_shards(const char *directory, mb_arena *arena, shard *shards)
{
	document	index = read_file(directory, "model.safetensors.index.json");
	const char *names[MOST_FILES];
	size_t		count = 0;
	const mb_json *entry;
	size_t		i;

	if (index.text == NULL)
	{
		read_shard(directory, "model.safetensors", arena, &shards[0]);
		return 1;
	}
	entry = mb_json_get(parse(&index, "index", arena), "weight_map");
	for (entry = entry->child; entry != NULL; entry = entry->next)
	{
		for (i = 0; i < count; i++)
			if (strcmp(names[i], entry->text) == 0)
				break;
		if (i < count)
			continue;
		if (count == MOST_FILES)
			give_up("too many files");
		names[count] = entry->text;
		read_shard(directory, entry->text, arena, &shards[count++]);
	}
	free(index.text);
	return count;
}

/*
 * Fill slots: match the names of all shards, check shapes, widen, pack.  Panels
 * have 16 bits when all tensors do.
 */
static void
bind_shards(checkpoint *c, const mb_config *config, const shard *shards,
			size_t count, const mb_kernels *kernels, mb_precision precision)
{
	size_t		slots = mb_slot_count(config);
	const void **tensors = mb_arena_zero(&c->arena, slots, sizeof(void *));
	bool	   *present = mb_arena_zero(&c->arena, slots, sizeof(bool));
	size_t		names = 0;
	uint32_t	parts;
	mb_dtype	stored = MB_DTYPE_OTHER;
	const char **list;
	int32_t    *filled;
	size_t		s;
	size_t		i;
	size_t		at = 0;

	for (s = 0; s < count; s++)
		names += shards[s].tensors.count;
	list = mb_arena_alloc(&c->arena, names, sizeof(char *));
	filled = mb_arena_alloc(&c->arena, names, sizeof(int32_t));
	for (s = 0; s < count; s++)
		for (i = 0; i < shards[s].tensors.count; i++)
			list[at++] = shards[s].tensors.entries[i].name;
	if (mb_checkpoint_match(config, list, names, &c->arena, filled,
							&error) != MB_OK)
		give_up(c->name);
	for (s = 0, at = 0; s < count; s++)
	{
		for (i = 0; i < shards[s].tensors.count; i++, at++)
		{
			const mb_tensor_entry *entry = &shards[s].tensors.entries[i];
			mb_slot		slot;
			float	   *target;

			if (filled[at] < 0)
				continue;
			if (stored == MB_DTYPE_OTHER)
				stored = entry->dtype;
			else if (stored != entry->dtype)
				stored = MB_DTYPE_F32;
			mb_slot_get(config, filled[at], &slot);
			if (mb_checkpoint_shape(&slot, entry->name, entry->rank,
									entry->shape, &error) != MB_OK)
			{
				if (mb_checkpoint_stray(config, slot.part))
					continue;	/* as if it were not there */
				give_up(c->name);
			}
			target = mb_arena_alloc(&c->arena, mb_slot_elements(&slot),
									sizeof(float));
			mb_widen(entry->dtype, shards[s].bytes.text + entry->begin,
					 mb_slot_elements(&slot), target);
			tensors[filled[at]] = target;
			present[filled[at]] = true;
		}
	}
	if (mb_checkpoint_complete(config, present, &parts, &error) != MB_OK ||
		mb_model_bind(config, kernels, parts, tensors, NULL, &c->arena,
					  &c->model, &error) != MB_OK ||
		mb_model_pack(&c->model, precision, stored, &c->arena,
					  &error) != MB_OK)
		give_up(c->name);
}

static __attribute__((unused)) checkpoint *
load_checkpoint(const char *directory, const char *name,
				const mb_kernels *kernels, mb_precision precision,
				const mb_memory *memory)
{
	checkpoint *c = calloc(1, sizeof(checkpoint));
	shard		shards[MOST_FILES];
	document	text = read_file(directory, "config.json");
	mb_config	config;
	size_t		count;
	size_t		i;

	snprintf(c->name, sizeof(c->name), "%s", name);
	mb_arena_init(&c->arena, memory, SIZE_MAX);
	if (text.text == NULL ||
		mb_config_read(parse(&text, "config.json", &c->arena), &config,
					   &error) != MB_OK)
		give_up(directory);
	free(text.text);
	count = read_shards(directory, &c->arena, shards);
	bind_shards(c, &config, shards, count, kernels, precision);
	for (i = 0; i < count; i++)
		free(shards[i].bytes.text);
	return c;
}

#endif							/* LOAD_H */
