/*-------------------------------------------------------------------------
 *
 * bench.c
 *	  How long the engine takes, without a server.
 *
 *	  bench [--set NAME] [--precision NAME] [--f16] [--parts] [--best] MODEL
 *		TEXTS TOKENS [LENGTHS]
 *
 * MODEL is a Hugging Face directory.  TEXTS texts of TOKENS tokens each run as
 * one packed batch, or with TOKENS 0 one of each length in the file LENGTHS,
 * in batches as the adapter makes them.  The last number printed is
 * microseconds a text, as ../shared/bench/peers.py --interleave wants it:
 * the median of the passes of about a second.
 *
 *	--set NAME			the table of kernels
 *	--precision NAME	fp32, bf16x3, bf16 or int8
 *	--f16				round weights to binary16 first, as if stored so
 *	--parts				linear layers and attention by themselves, what is left,
 *						and their share of the speed at which this core
 *						multiplies and adds when nothing else stands in its
 *						way, measured in the same second
 *	--best				the least time instead of the median, on a machine with
 *						noise
 *
 * Token ids are random; no weight depends on them.
 *
 *-------------------------------------------------------------------------
 */
#include "base/pages.h"
#include "kernels/choose.h"
#include "kernels/dense.h"
#include "encoder/forward.h"

#include "linears.h"
#include "load.h"
#include "tables.h"

#include <math.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Tokens of one pass at most, as in the adapter. */
#define PASS_TOKENS 4096
#define LEAST_SECONDS 0.6
#define MOST_PASSES 2000

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec * 1e-9;
}

static int
by_value(const void *a, const void *b)
{
	double		x = *(const double *) a;
	double		y = *(const double *) b;

	return (x > y) - (x < y);
}

static bool best_only = false;

/* Median seconds of a call, repeated for a while; the least with --best. */
static double
median_time(void (*work) (void *), void *context)
{
	static double seconds[MOST_PASSES];
	double		start;
	size_t		count = 0;

	work(context);
	start = now();
	do
	{
		double		begin = now();

		work(context);
		seconds[count++] = now() - begin;
	} while (count < MOST_PASSES &&
			 (count < 3 || now() - start < LEAST_SECONDS));
	qsort(seconds, count, sizeof(double), by_value);
	return seconds[best_only ? 0 : count / 2];
}

/* Memory in large pages, as the server maps images; it lasts to the end. */

#define REGION ((size_t) 64 << 20)

typedef struct region
{
	char	   *next;
	size_t		left;
} region;

static void *
region_alloc(void *context, size_t size)
{
	region	   *r = context;

	size = (size + 63) / 64 * 64;
	if (size > r->left)
	{
		r->left = size > REGION ? size : REGION;
		r->next = mb_map_memory(r->left);
		if (r->next == NULL)
			give_up("memory");
	}
	r->next += size;
	r->left -= size;
	return r->next - size;
}

static region large_pages = {NULL, 0};
static const mb_memory large_memory = {region_alloc, NULL, &large_pages};

/* The job: sequences cut into passes */

typedef struct job
{
	const mb_model *model;
	size_t		texts;
	size_t	   *lengths;
	size_t		tokens;
	size_t		longest;
	size_t	   *starts;
	int32_t    *ids;
	void	   *workspace;
	size_t		workspace_size;
} job;

static int
by_length(const void *a, const void *b)
{
	size_t		x = *(const size_t *) a;
	size_t		y = *(const size_t *) b;

	return (x > y) - (x < y);
}

static void
read_lengths(job *j, const char *path)
{
	FILE	   *file = fopen(path, "r");
	size_t		i;

	if (file == NULL)
		give_up(path);
	for (i = 0; i < j->texts; i++)
		if (fscanf(file, "%zu", &j->lengths[i]) != 1)
			give_up(path);
	fclose(file);
	qsort(j->lengths, j->texts, sizeof(size_t), by_length);
}

static void
prepare(job *j, size_t tokens, const char *lengths)
{
	size_t		most = PASS_TOKENS;
	size_t		i;

	j->lengths = malloc(j->texts * sizeof(size_t));
	if (tokens == 0)
		read_lengths(j, lengths);
	for (i = 0; i < j->texts; i++)
	{
		if (tokens > 0)
			j->lengths[i] = tokens;
		j->tokens += j->lengths[i];
		if (j->lengths[i] > j->longest)
			j->longest = j->lengths[i];
	}
	if (most < j->longest)
		most = j->longest;
	j->starts = malloc((j->texts + 1) * sizeof(size_t));
	j->ids = malloc(j->tokens * sizeof(int32_t));
	for (i = 0; i < j->tokens; i++)
		j->ids[i] = (int32_t) (i * 7919 % j->model->config.vocab_size);
	j->workspace_size = mb_forward_memory(j->model, most, j->longest);
	j->workspace = mb_map_memory(j->workspace_size);
	if (j->workspace == NULL)
		give_up("memory");
	memset(j->workspace, 0, j->workspace_size);
}

/* The texts of the pass that begins with text first. */
static size_t
pass_texts(const job *j, size_t first, size_t *starts)
{
	size_t		count = 0;

	starts[0] = 0;
	while (first + count < j->texts &&
		   (count == 0 ||
			starts[count] + j->lengths[first + count] <= PASS_TOKENS))
	{
		starts[count + 1] = starts[count] + j->lengths[first + count];
		count++;
	}
	return count;
}

static void
run_all(void *context)
{
	job		   *j = context;
	mb_batch	batch = {0, j->starts, j->ids, NULL, NULL, NULL, false};
	const float *states;
	size_t		first;

	for (first = 0; first < j->texts; first += batch.sequences)
	{
		batch.sequences = pass_texts(j, first, j->starts);
		if (mb_forward(j->model, &batch, j->model->config.layers, NULL, NULL,
					   j->workspace, j->workspace_size, &states,
					   &error) != MB_OK)
			give_up("forward");
	}
}

/* Parts */

/* Rows of one sweep through all linear layers of the encoder, as forward.c does it. */
typedef struct linears
{
	const mb_model *model;
	size_t		rows;
	float	   *x;
	float	   *y;
	void	   *scratch;
} linears;

static void
run_linear(void *context, const mb_linear *linear)
{
	const linears *m = context;
	mb_operand	operand = {m->x, m->rows, linear->k, m->scratch, MB_FORMAT_ROWS};

	if (mb_dense(m->model->kernels, linear, &operand, NULL, m->y, NULL,
				 &error) != MB_OK)
		give_up("linear layer");
}

static void
run_linears(void *context)
{
	const linears *m = context;

	walk_linears(m->model, run_linear, context);
}

/* Memory that any linear layer needs */
typedef struct linear_sizes
{
	const mb_kernels *kernels;
	size_t		rows;
	size_t		width;
	size_t		scratch;
	double		work;			/* multiply-adds of all linear layers for one row */
} linear_sizes;

static void
add_linear(void *context, const mb_linear *linear)
{
	linear_sizes  *s = context;
	size_t		scratch = mb_operand_memory(s->kernels, linear->format, s->rows,
											linear->k);

	s->width = linear->k > s->width ? linear->k : s->width;
	s->width = linear->n > s->width ? linear->n : s->width;
	s->scratch = scratch > s->scratch ? scratch : s->scratch;
	s->work += (double) linear->k * (double) linear->n;
}

static linear_sizes
size_linears(const mb_model *model, size_t rows)
{
	linear_sizes	s = {model->kernels, rows, 0, 0, 0.0};

	walk_linears(model, add_linear, &s);
	return s;
}

static double
time_linears(const mb_model *model, size_t tokens)
{
	linears		m;
	linear_sizes	sizes;
	double		seconds;
	size_t		bytes;

	m.model = model;
	m.rows = tokens < 192 ? tokens : 192;
	sizes = size_linears(model, m.rows);
	bytes = (m.rows + 32) * sizes.width * sizeof(float);
	if (posix_memalign((void **) &m.x, 64, bytes) != 0 ||
		posix_memalign((void **) &m.y, 64, bytes) != 0 ||
		posix_memalign(&m.scratch, 64, sizes.scratch + 64) != 0)
		give_up("memory");
	memset(m.x, 0, bytes);
	if (model->kernels->begin != NULL)
		model->kernels->begin();
	seconds = median_time(run_linears, &m);
	if (model->kernels->end != NULL)
		model->kernels->end();
	return seconds / (double) m.rows;
}

/* Multiply-adds a second when nothing stands in the way; 0 if unknown. */
#if defined(__x86_64__)
__attribute__((target("avx512f"))) static double
peak_avx512(void)
{
	__m512		sum[12];
	__m512		x = _mm512_set1_ps(1.0f);
	double		start;
	double		end;
	float		out[16];
	int			i;
	int			j;

	for (j = 0; j < 12; j++)
		sum[j] = _mm512_set1_ps((float) j);
	start = now();
	for (i = 0; i < 20000000; i++)
	{
#pragma GCC unroll 12
		for (j = 0; j < 12; j++)
			sum[j] = _mm512_fmadd_ps(x, x, sum[j]);
		__asm__ volatile("" : "+v"(x));
	}
	end = now();
	for (j = 1; j < 12; j++)
		sum[0] = _mm512_add_ps(sum[0], sum[j]);
	_mm512_storeu_ps(out, sum[0]);
	return out[0] > 0.0f ? 20000000.0 * 12.0 * 16.0 / (end - start) : 0.0;
}
#endif

static void
print_parts(const job *j, double whole)
{
	double		peak = 0.0;
	double		linears = time_linears(j->model, j->tokens) * 1e6 *
		(double) j->tokens / (double) j->texts;
	double		tokens = (double) j->tokens / (double) j->texts;
	double		speed = size_linears(j->model, 1).work * tokens / linears *
		2e-3;

#if defined(__x86_64__)
	if (__builtin_cpu_supports("avx512f"))
		peak = peak_avx512() * 2e-9;
#endif
	printf("# %zu texts, %.0f tokens in each, table %s\n", j->texts, tokens,
		   j->model->kernels->name);
	printf("# linear layers %.1f us, attention and the rest %.1f us, whole %.1f us a "
		   "text, %.1f us a token\n", linears, whole - linears, whole,
		   whole / tokens);
	printf("# linear layers %.1f GFLOP/s of %.1f, %.0f %%\n", speed, peak,
		   peak > 0.0 ? 100.0 * speed / peak : 0.0);
}

/* Weights */

static void
round_half(float *w, size_t count)
{
	size_t		i;

	for (i = 0; i < count; i++)
	{
		int			exponent;
		float		f = frexpf(w[i], &exponent);
		int			digits = exponent < -13 ? 11 - (-13 - exponent) : 11;

		w[i] = ldexpf(rintf(ldexpf(f, digits)), exponent - digits);
	}
}

static void
round_weights(mb_model *model, mb_arena *arena)
{
	const mb_config *c = &model->config;
	uint32_t	i;
	uint32_t	j;

#define ROUND(linear, k, n) \
	if ((linear).weight != NULL) \
		round_half((float *) (linear).weight, (size_t) (k) * (n))

	ROUND(model->embedding_transformation,
		  c->embedding_size * (c->trigram_input ? 3 : 1), c->hidden_size);
	for (i = 0; i < c->layers; i++)
	{
		mb_layer   *l = &model->layers[i];

		ROUND(l->bottleneck_input, c->hidden_size, c->true_hidden_size);
		ROUND(l->bottleneck_attention, c->hidden_size, c->true_hidden_size);
		ROUND(l->query, c->true_hidden_size, c->attention_size);
		ROUND(l->key, c->true_hidden_size, c->attention_size);
		ROUND(l->value, c->value_input_size, c->attention_size);
		ROUND(l->attention_output, c->attention_size, c->true_hidden_size);
		for (j = 0; j < c->feedforwards; j++)
		{
			ROUND(l->feedforwards[j].intermediate, c->true_hidden_size,
				  c->intermediate_size);
			ROUND(l->feedforwards[j].output, c->intermediate_size,
				  c->true_hidden_size);
		}
		ROUND(l->bottleneck_output, c->true_hidden_size, c->hidden_size);
	}
	if (mb_model_pack(model, MB_PRECISION_FP32, MB_DTYPE_F16, arena,
					  &error) != MB_OK)
		give_up("pack");
}

static void __attribute__((noreturn))
usage(void)
{
	fprintf(stderr, "usage: bench [--set NAME] [--precision NAME] [--f16] "
			"[--parts] [--best] MODEL TEXTS TOKENS [LENGTHS]\n");
	exit(1);
}

int
main(int argc, char **argv)
{
	bool		half = false;
	bool		parts = false;
	const mb_kernels *kernels = mb_kernels_find("auto");
	mb_precision precision = MB_PRECISION_FP32;
	checkpoint *c;
	job			j;
	double		us;

	memset(&j, 0, sizeof(j));
	for (; argc > 1 && strncmp(argv[1], "--", 2) == 0; argc--, argv++)
	{
		if (strcmp(argv[1], "--f16") == 0)
			half = true;
		else if (strcmp(argv[1], "--parts") == 0)
			parts = true;
		else if (strcmp(argv[1], "--best") == 0)
			best_only = true;
		else if (strcmp(argv[1], "--set") == 0 && argc > 2)
		{
			kernels = find_table(argv[2]);
			if (kernels == NULL)
				give_up(argv[2]);
			argc--;
			argv++;
		}
		else if (strcmp(argv[1], "--precision") == 0 && argc > 2)
		{
			if (!mb_precision_from_name(argv[2], &precision))
				give_up(argv[2]);
			argc--;
			argv++;
		}
		else
			usage();
	}
	if (argc < 4 || (atoi(argv[3]) == 0 && argc < 5))
		usage();
	c = load_checkpoint(argv[1], "bench", kernels, precision, &large_memory);
	if (half)
		round_weights(&c->model, &c->arena);
	j.model = &c->model;
	j.texts = (size_t) atoi(argv[2]);
	prepare(&j, (size_t) atoi(argv[3]), argc > 4 ? argv[4] : NULL);
	us = median_time(run_all, &j) * 1e6 / (double) j.texts;
	if (parts)
		print_parts(&j, us);
	printf("%.2f\n", us);
	return 0;
}
