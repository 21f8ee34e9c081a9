/*-------------------------------------------------------------------------
 *
 * test_tiles.c
 *	  Tiles as Intel's manual describes them: products against plain C, bytes
 *	  that are read and written, and what is refused.
 *
 * With TILES=software this tests test/unit/software_tiles.h, without it the
 * processor: both have to be what the AMX kernels were written for.  Compiled
 * as those are; main() is what may run where there are no tiles.
 *
 *-------------------------------------------------------------------------
 */
#include "base/cpu.h"

#include "tap.h"

#if defined(__x86_64__)

#include "kernels/gemm.h"
#include "kernels/reduced_layout.h"

#include "kernels/x86/amx.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TRIALS 300

static uint64_t seed = 20251;

static uint32_t
random_bits(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t) (seed >> 32);
}

/* 32 bits of a tile */
typedef union number
{
	uint32_t	u;
	float		f;
	uint16_t	half[2];
	uint8_t		byte[4];
} number;

#define NUMBERS ((size_t) MB_TILE * MB_TILE)

/* Sums [m, n] += a [m, k] * b [k, n], in rows of MB_TILE numbers */
typedef struct trial
{
	size_t		m;
	size_t		k;
	size_t		n;
	number		sums[NUMBERS];
	number		a[NUMBERS];
	number		b[NUMBERS];
} trial;

/* Tiles 0, 4 and 6 for a trial */
static void
configure(const trial *t)
{
	tile_configuration c __attribute__((aligned(64)));

	memset(&c, 0, sizeof(c));
	c.palette = 1;
	c.rows[0] = c.rows[4] = (uint8_t) t->m;
	c.rows[6] = (uint8_t) t->k;
	c.column_bytes[0] = c.column_bytes[6] = (uint16_t) (4 * t->n);
	c.column_bytes[4] = (uint16_t) (4 * t->k);
	MB_LOAD_CONFIGURATION(c);
}

#define RUN(dot, t) \
	do { \
		configure(t); \
		MB_BARRIER; \
		_tile_loadd(0, (t)->sums, MB_LINE); \
		_tile_loadd(4, (t)->a, MB_LINE); \
		_tile_stream_loadd(6, (t)->b, MB_LINE); \
		dot(0, 4, 6); \
		_tile_stored(0, (t)->sums, MB_LINE); \
		MB_BARRIER; \
		_tile_release(); \
	} while (0)

/* Any bits */
#define ANY (-1)

/* Random bits; both halves with one of eight exponents, or any */
static void
fill(number *to, int exponent)
{
	size_t		i;
	int			j;

	for (i = 0; i < NUMBERS; i++)
	{
		to[i].u = random_bits();
		for (j = 0; exponent != ANY && j < 2; j++)
			to[i].half[j] = (uint16_t) ((to[i].half[j] & 0x807f) |
										(exponent + random_bits() % 8) << 7);
	}
}

static void
make_trial(trial *t, int sums, int operands)
{
	t->m = 1 + random_bits() % MB_TILE;
	t->k = 1 + random_bits() % MB_TILE;
	t->n = 1 + random_bits() % MB_TILE;
	fill(t->sums, sums);
	fill(t->a, operands);
	fill(t->b, operands);
}

/* Subnormal numbers are zero. */
static float
flush(float x)
{
	return fabsf(x) < FLT_MIN ? copysignf(0.0f, x) : x;
}

static float
widen(uint16_t half)
{
	uint32_t	bits = (uint32_t) half << 16;
	float		x;

	memcpy(&x, &bits, sizeof(x));
	return flush(x);
}

static void
expect_floats(trial *t)
{
	size_t		m;
	size_t		n;
	size_t		k;
	int			i;

	for (m = 0; m < t->m; m++)
		for (n = 0; n < t->n; n++)
		{
			float	   *sum = &t->sums[m * MB_TILE + n].f;
			float		chain[2] = {0.0f, 0.0f};

			for (k = 0; k < t->k; k++)
				for (i = 0; i < 2; i++)
					chain[i] = flush(fmaf(widen(t->a[m * MB_TILE + k].half[i]),
										  widen(t->b[k * MB_TILE + n].half[i]),
										  chain[i]));
			*sum = flush(flush(*sum) + flush(chain[0] + chain[1]));
		}
}

/* Which of the operands has signs? */
static void
expect_integers(trial *t, bool a_signed, bool b_signed)
{
	size_t		m;
	size_t		n;
	size_t		k;
	int			i;

	for (m = 0; m < t->m; m++)
		for (n = 0; n < t->n; n++)
			for (k = 0; k < t->k; k++)
				for (i = 0; i < 4; i++)
				{
					uint8_t		a = t->a[m * MB_TILE + k].byte[i];
					uint8_t		b = t->b[k * MB_TILE + n].byte[i];

					t->sums[m * MB_TILE + n].u += (uint32_t)
						((a_signed ? (int8_t) a : (int) a) *
						 (b_signed ? (int8_t) b : (int) b));
				}
}

/* All bits, beyond the shape too; any NaN is as good as another. */
static bool
same_sums(const trial *mine, const trial *exact, bool floats)
{
	size_t		i;

	for (i = 0; i < NUMBERS; i++)
	{
		number		x = mine->sums[i];
		number		y = exact->sums[i];

		if (x.u != y.u && !(floats && isnan(x.f) && isnan(y.f)))
			return false;
	}
	return true;
}

static void
test_floats(void)
{
	static const struct
	{
		const char *text;
		int			sums;		/* exponents */
		int			operands;
	}			kinds[] = {
		{"any", ANY, ANY},
		{"near 1", 124, 124},
		{"whose products are nearly subnormal", 0, 60}
	};
	trial		mine;
	trial		exact;
	int			kind;
	int			i;

	for (kind = 0; kind < 3; kind++)
	{
		bool		same = true;

		for (i = 0; i < TRIALS; i++)
		{
			make_trial(&mine, kinds[kind].sums, kinds[kind].operands);
			exact = mine;
			expect_floats(&exact);
			RUN(_tile_dpbf16ps, &mine);
			same = same && same_sums(&mine, &exact, true);
		}
		ok(same, "products of bfloat16, %s, have the bits of two chains",
		   kinds[kind].text);
	}
}

#define TEST_INTEGERS(dot, a_signed, b_signed) \
	do { \
		bool		same = true; \
		int			i; \
\
		for (i = 0; i < TRIALS; i++) \
		{ \
			make_trial(&mine, ANY, ANY); \
			exact = mine; \
			expect_integers(&exact, a_signed, b_signed); \
			RUN(dot, &mine); \
			same = same && same_sums(&mine, &exact, false); \
		} \
		ok(same, "%s is exact and wraps around", #dot); \
	} while (0)

static void
test_integers(void)
{
	trial		mine;
	trial		exact;

	TEST_INTEGERS(_tile_dpbssd, true, true);
	TEST_INTEGERS(_tile_dpbsud, true, false);
	TEST_INTEGERS(_tile_dpbusd, false, true);
	TEST_INTEGERS(_tile_dpbuud, false, false);
}

/* Rows far apart: those are read and written, what is between them is not. */
static void
test_memory(void)
{
	trial		t = {.m = 3, .k = 2, .n = 5};
	size_t		step = 4 * t.n + 7;
	size_t		size = 2 * step + 4 * t.n;
	uint8_t    *from = malloc(size);
	uint8_t    *to = malloc(size);
	bool		right = true;
	size_t		i;

	for (i = 0; i < size; i++)
	{
		from[i] = (uint8_t) (i + 1);
		to[i] = 0xee;
	}
	configure(&t);
	MB_BARRIER;
	_tile_loadd(0, from, step);
	_tile_stored(0, to, step);
	MB_BARRIER;
	for (i = 0; i < size; i++)
		right = right && to[i] == (i % step < 4 * t.n ? from[i] : 0xee);
	_tile_zero(0);
	_tile_stored(0, to, step);
	MB_BARRIER;
	for (i = 0; i < size; i++)
		right = right && to[i] == (i % step < 4 * t.n ? 0 : 0xee);
	_tile_release();
	ok(right, "a tile's rows are read and written, and nothing else");
	free(from);
	free(to);
}

/* ----------
 * What ends a program
 * ----------
 */

/* Runs in a process of its own, with tiles of 4, 8 and 4 rows and columns. */
typedef struct mistake
{
	const char *text;
	void		(*make) (void);
	bool		fatal;
} mistake;

static uint8_t memory[MB_TILE * MB_LINE];

static void
start(void)
{
	trial		t = {.m = 4, .k = 8, .n = 4};

	configure(&t);
}

static void
right_product(void)
{
	start();
	_tile_dpbusd(0, 4, 6);
}

static void
swapped_operands(void)
{
	start();
	_tile_dpbusd(0, 6, 4);
}

static void
other_rows(void)
{
	start();
	_tile_dpbf16ps(6, 4, 0);
}

#if defined(MB_SOFTWARE_TILES)

/* An assembler refuses this. */
static void
one_tile_twice(void)
{
	set_tiles(MB_TILE);
	_tile_dpbf16ps(0, 4, 4);
}

#endif

static void
load_without_shape(void)
{
	start();
	_tile_loadd(1, memory, MB_LINE);
}

static void
store_without_shape(void)
{
	start();
	_tile_stored(1, memory, MB_LINE);
}

static void
zero_after_release(void)
{
	start();
	_tile_release();
	_tile_zero(0);
}

static void
configure_badly(size_t at, uint8_t value)
{
	tile_configuration c __attribute__((aligned(64)));

	memset(&c, 0, sizeof(c));
	c.palette = 1;
	memcpy((uint8_t *) &c + at, &value, 1);
	MB_LOAD_CONFIGURATION(c);
}

static void
unknown_palette(void)
{
	configure_badly(0, 9);
}

static void
reserved_byte(void)
{
	configure_badly(15, 1);
}

static void
half_a_shape(void)
{
	configure_badly(offsetof(tile_configuration, rows), 1);
}

static void
no_rows(void)
{
	set_tiles(0);
}

static void
too_many_rows(void)
{
	set_tiles(MB_TILE + 1);
}

static const mistake mistakes[] = {
	{"a product of fitting shapes", right_product, false},
	{"a product of shapes in the wrong order", swapped_operands, true},
	{"a product into a tile of other rows", other_rows, true},
#if defined(MB_SOFTWARE_TILES)
	{"a product of a tile with itself", one_tile_twice, true},
#endif
	{"a load into a tile without a shape", load_without_shape, true},
	{"a store from a tile without a shape", store_without_shape, true},
	{"a tile after their release", zero_after_release, true},
	{"an unknown palette", unknown_palette, true},
	{"a reserved byte", reserved_byte, true},
	{"rows without columns", half_a_shape, true},
	{"columns without rows", no_rows, true},
	{"seventeen rows", too_many_rows, true}
};

/* Does what it does end a process? */
static bool
ends_process(void (*make) (void))
{
	const struct rlimit none = {0, 0};
	int			status;
	pid_t		child = fork();

	if (child == 0)
	{
		setrlimit(RLIMIT_CORE, &none);
		if (freopen("/dev/null", "w", stderr) == NULL)
			_exit(0);
		make();
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	return !WIFEXITED(status) || WEXITSTATUS(status) != 0;
}

static void
test_mistakes(void)
{
	size_t		i;

	for (i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		ok(ends_process(mistakes[i].make) == mistakes[i].fatal,
		   "%s %s", mistakes[i].text,
		   mistakes[i].fatal ? "ends a process" : "is none");
}

#if defined(MB_SOFTWARE_TILES) && defined(__SANITIZE_ADDRESS__)

static void
load_too_far(void)
{
	trial		t = {.m = 4, .k = 8, .n = 4};
	uint8_t    *less = malloc(3 * MB_LINE + 15);

	configure(&t);
	_tile_loadd(0, less, MB_LINE);
}

static void
store_too_far(void)
{
	trial		t = {.m = 4, .k = 8, .n = 4};
	uint8_t    *less = malloc(3 * MB_LINE + 15);

	configure(&t);
	_tile_stored(0, less, MB_LINE);
}

static void
test_sanitizer(void)
{
	ok(ends_process(load_too_far) && ends_process(store_too_far),
	   "the sanitizer sees a byte too far");
}

#else

static void
test_sanitizer(void)
{
}

#endif

static void __attribute__((noinline))
test_tiles(void)
{
	test_floats();
	test_integers();
	test_memory();
	test_mistakes();
	test_sanitizer();
}

#else

static void
test_tiles(void)
{
}

#endif							/* __x86_64__ */

int
main(void)
{
	if (!mb_cpu_has_amx())
	{
		puts("1..0 # SKIP no tiles");
		return 0;
	}
	test_tiles();
	return done_testing();
}
