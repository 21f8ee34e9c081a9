/*-------------------------------------------------------------------------
 *
 * subject.c
 *	  The engine of one tree behind subject.h, for compare.c.
 *
 * compare.sh compiles this file against the headers of the tree it lies in and
 * links it with the objects that "make" has built there.  It changes with the
 * engine's interface; for a tree without it, or with one of another interface,
 * compare.sh takes another file.
 *
 * Depends on subject.h, test/unit/load.h and the engine.
 *
 *-------------------------------------------------------------------------
 */
#include "subject.h"

#include "base/pages.h"
#include "encoder/forward.h"
#include "kernels/choose.h"

#include "load.h"

#define REGION ((size_t) 64 << 20)
#define MOST_REGIONS 256

/* Memory in large pages, as the server maps images; it all goes at once. */
typedef struct regions
{
	size_t		count;
	void	   *starts[MOST_REGIONS];
	size_t		sizes[MOST_REGIONS];
	char	   *next;
	size_t		left;
} regions;

typedef struct engine
{
	regions		regions;
	mb_memory	memory;
	checkpoint *checkpoint;
	void	   *workspace;
	size_t		workspace_size;
} engine;

static void *
new_region(regions *r, size_t size)
{
	void	   *start = mb_map_memory(size);

	if (start == NULL || r->count == MOST_REGIONS)
		give_up("memory");
	r->starts[r->count] = start;
	r->sizes[r->count++] = size;
	return start;
}

static void *
region_alloc(void *context, size_t size)
{
	regions    *r = context;

	size = (size + 63) / 64 * 64;
	if (size > r->left)
	{
		r->left = size > REGION ? size : REGION;
		r->next = new_region(r, r->left);
	}
	r->next += size;
	r->left -= size;
	return r->next - size;
}

static void *
subject_open(const char *directory, const char *precision,
			 const char *instruction_set, size_t tokens)
{
	engine	   *e = calloc(1, sizeof(engine));
	const mb_kernels *kernels = mb_kernels_find(instruction_set);
	mb_precision p;

	if (e == NULL)
		give_up("memory");
	if (kernels == NULL)
		give_up(instruction_set);
	if (!mb_precision_from_name(precision, &p))
		give_up(precision);
	e->memory.alloc = region_alloc;
	e->memory.context = &e->regions;
	e->checkpoint = load_checkpoint(directory, "subject", kernels, p, &e->memory);
	e->workspace_size = mb_forward_memory(&e->checkpoint->model, tokens,
										  tokens);
	e->workspace = new_region(&e->regions, e->workspace_size);
	memset(e->workspace, 0, e->workspace_size);
	return e;
}

static const float *
subject_run(void *model, size_t texts, const size_t *starts,
			const int32_t *ids, size_t *count)
{
	engine	   *e = model;
	const mb_model *m = &e->checkpoint->model;
	mb_batch	batch = {texts, starts, ids, NULL, NULL, NULL, false};
	const float *states;

	if (mb_forward(m, &batch, m->config.layers, NULL, NULL, e->workspace,
				   e->workspace_size, &states, &error) != MB_OK)
		give_up("forward");
	*count = starts[texts] * m->config.hidden_size;
	return states;
}

static void
subject_close(void *model)
{
	engine	   *e = model;
	size_t		i;

	for (i = 0; i < e->regions.count; i++)
		mb_unmap(e->regions.starts[i], e->regions.sizes[i]);
	free(e->checkpoint);
	free(e);
}

extern const subject subject_engine;
const subject subject_engine = {subject_open, subject_run, subject_close};
