/*-------------------------------------------------------------------------
 *
 * reduced_layout.h
 *	  Where things lie in panels and rows; see reduced.h.
 *
 * For the files that implement reduced.h and split.h.
 * Depends on kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_REDUCED_LAYOUT_H
#define MB_REDUCED_LAYOUT_H

#include "kernels/kernels.h"

/* Rows of a group, which products take together: two tiles */
#define MB_GROUP 32

/* A tile is 16 lines of 64 bytes: what a register of AMX holds. */
#define MB_TILE 16
#define MB_LINE 64
#define MB_TILE_BYTES 1024

/* Inputs in a line, for each output, and in a tile */
#define MB_INT8_STEP 4
#define MB_BF16_STEP 2
#define MB_INT8_DEEP 64
#define MB_BF16_DEEP 32

/*
 * INT8.  A row is looked at for values to leave out when its integers are less
 * than 1 from zero on average, none counting for more than MB_MOST_STEPS: then
 * most values vanish, unless they are zero anyway.
 */
#define MB_MOST_STEPS 16

/* Values left out of a row at most */
#define MB_MOST_OUTLIERS 32

/* Ranges below this are zero: their inverse is not a number. */
#define MB_RANGE_LEAST 1e-35f

typedef struct int8_outlier
{
	float		value;
	uint32_t	column;
} int8_outlier;

/*
 * The operand of INT8 has, for each group of rows, this and after it the
 * group's integers, (x / scale + zero), in tiles.  The operands of BF16 and
 * BF16X3 are tiles alone; low parts are rows from MB_GROUP on.  Those of split.h
 * are in split_amx.c.
 */
typedef struct int8_group
{
	float		scale[MB_GROUP];
	float		zero[MB_GROUP];
	uint8_t		outliers[MB_GROUP];	/* how many each row has */
	uint32_t	total;			/* of them */
	uint8_t		filler[28];		/* to whole lines */
	int8_outlier outlier[MB_GROUP][MB_MOST_OUTLIERS];
	uint8_t		tiles[];
} int8_group;

/* Sums of a group of rows and a panel, integers or floats */
typedef union sums_block
{
	int32_t		i[MB_GROUP][MB_PANEL];
	float		f[MB_GROUP][MB_PANEL];
} sums_block;

/*
 * A macro for each of some rows, by number: the vectors of its sums are
 * variables named by it.
 */
#define MB_ROWS_1(DO) DO(0)
#define MB_ROWS_2(DO) MB_ROWS_1(DO); DO(1)
#define MB_ROWS_4(DO) MB_ROWS_2(DO); DO(2); DO(3)
#define MB_ROWS_8(DO) MB_ROWS_4(DO); DO(4); DO(5); DO(6); DO(7)

/* Tiles along k */
static inline size_t
depth(mb_format format, size_t k)
{
	size_t		deep = format == MB_FORMAT_INT8 ? MB_INT8_DEEP : MB_BF16_DEEP;

	return (k + deep - 1) / deep;
}

/* Bytes of a strip, and of a panel */
static inline size_t
strip_size(mb_format format, size_t k)
{
	return depth(format, k) * MB_TILE_BYTES *
		(format == MB_FORMAT_BF16X3 ? 2 : 1);
}

static inline size_t
panel_size(mb_format format, size_t k)
{
	return MB_PANEL / MB_TILE * strip_size(format, k);
}

/* Outputs, rounded up to whole panels */
static inline size_t
padded(size_t n)
{
	return (n + MB_PANEL - 1) / MB_PANEL * MB_PANEL;
}

/* The strip of an output */
static inline const uint8_t *
panel_strip(mb_format format, const void *panels, size_t k, size_t column)
{
	return (const uint8_t *) panels + column / MB_TILE * strip_size(format, k);
}

/* Where in a strip of BF16 the weight of input i and output c is */
static inline size_t
bf16_at(size_t i, size_t c)
{
	return i / MB_BF16_STEP * (MB_LINE / sizeof(uint16_t)) +
		c % MB_TILE * MB_BF16_STEP + i % MB_BF16_STEP;
}

/* INT8: scales of the outputs, and the sums of their integers */
static inline const float *
panel_scale(const void *panels, size_t k, size_t n)
{
	return (const float *) panel_strip(MB_FORMAT_INT8, panels, k, padded(n));
}

static inline const float *
panel_sum(const void *panels, size_t k, size_t n)
{
	return panel_scale(panels, k, n) + padded(n);
}

/* INT8: weights of input i, for all outputs */
static inline const uint16_t *
panel_input(const void *panels, size_t k, size_t n, size_t i)
{
	return (const uint16_t *) (panel_sum(panels, k, n) + padded(n)) +
		i * padded(n);
}

/*
 * The panel that is used after that of a column.  After the last of INT8 lies,
 * past what values left out need, the first of the layer that was packed next.
 */
static inline const uint8_t *
panel_after(mb_format format, const mb_product *p, size_t column)
{
	if (format == MB_FORMAT_INT8 && column + MB_PANEL >= p->n)
		return (const uint8_t *) panel_input(p->linear->panels, p->k, p->n,
											 p->k);
	return panel_strip(format, p->linear->panels, p->k, column + MB_PANEL);
}

/* Bytes of a group's tiles when it has so many rows, low parts included */
static inline size_t
group_tiles(mb_format format, size_t k, size_t rows)
{
	return rows / MB_TILE * depth(format, k) * MB_TILE_BYTES;
}

/* INT8: bytes of a group, and group number g */
static inline size_t
int8_group_size(size_t k)
{
	return sizeof(int8_group) + group_tiles(MB_FORMAT_INT8, k, MB_GROUP);
}

static inline int8_group *
int8_group_at(const void *operand, size_t k, size_t g)
{
	return (int8_group *) ((uint8_t *) operand + g * int8_group_size(k));
}

/* Bytes of rows in groups of so many bytes each; SIZE_MAX: too many */
extern size_t mb_groups_size(size_t rows, size_t group_bytes);

/* Rows of the group that begins at row first */
static inline size_t
group_rows(size_t rows, size_t first)
{
	return rows - first < MB_GROUP ? rows - first : MB_GROUP;
}

/*
 * Bytes of row r from tile t on, of a matrix "deep" tiles deep: rows in
 * tiles of 16, tile by tile along k.  The next row is MB_LINE bytes on, the next
 * tile along k MB_TILE_BYTES.
 */
static inline uint8_t *
rows_line(uint8_t *tiles, size_t deep, size_t r, size_t t)
{
	return tiles + ((r / MB_TILE * deep + t) * MB_TILE + r % MB_TILE) * MB_LINE;
}

/* The values of a row that are no further from 0 than a bound, and the others */
typedef struct int8_rest
{
	float		low;			/* smallest and largest, and 0 */
	float		high;
	uint32_t	steps;			/* how far they are from 0 on their own scale,
								 * none more than MB_MOST_STEPS, in
								 * MB_STEP_PARTS cut off */
	uint32_t	count;			/* that are not 0 */
	uint32_t	above;			/* beyond the bound */
} int8_rest;

#define MB_STEP_PARTS 16

/* Work on a row of an instruction set; the same results in each */
typedef struct int8_work
{
	int8_rest	(*measure) (const float *x, size_t k, float bound);

	/* Integers of what is in [low, high], the others made outliers */
	void		(*leave_out) (int8_group *group, size_t r, const float *x,
							  size_t k, float low, float high);
} int8_work;

extern const int8_work mb_int8_work_ref;

/*
 * What a row's integers would lose is left out of them: they are made again
 * for what remains.  Called with the row's integers made, all finite.
 */
extern void mb_int8_leave_out(int8_group *group, size_t r, const float *x,
							  size_t k, const int8_work *work);

#if defined(__x86_64__)
/*
 * The operand of INT8 from rows [rows, k] of bfloat16 at distance step, each
 * filled up with zeros to 32 numbers; wide: room for k floats.
 */
extern void mb_quantise_bf16_avx512(const uint16_t *x, size_t step,
									size_t rows, size_t k, float *wide,
									void *operand);
#endif

/* One value more is left out of row r. */
static inline void
add_outlier(int8_group *group, size_t r, const float *x, size_t column)
{
	int8_outlier *outlier = &group->outlier[r][group->outliers[r]++];

	outlier->value = x[column];
	outlier->column = (uint32_t) column;
	group->total++;
}

#endif							/* MB_REDUCED_LAYOUT_H */
