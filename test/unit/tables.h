/*-------------------------------------------------------------------------
 *
 * tables.h
 *	  Tables of kernels by name: those of this kind of processor, and some that
 *	  only tests and measurements want: "avx2/openblas", "avx2/ref" and their
 *	  like have the functions of an instruction set, but the products of floats
 *	  of OpenBLAS or of plain C.
 *
 * Depends on kernels/choose.h, kernels/gemm.h, sets.h; functions are static,
 * like tap.h's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef TABLES_H
#define TABLES_H

#include "kernels/choose.h"
#include "kernels/gemm.h"

#include "sets.h"

#include <string.h>

#define MOST_MIXED 8

/* The part of a name before "/" is an instruction set. */
static const mb_kernels *
set_of(const char *name)
{
	char		set[16];
	size_t		length = strcspn(name, "/");

	if (name[length] == '\0' || length >= sizeof(set))
		return NULL;
	memcpy(set, name, length);
	set[length] = '\0';
	return mb_kernels_find(set);
}

/* A table with others' products of floats; NULL where there is none */
static const mb_kernels *
mix_table(const char *name)
{
	static mb_kernels mixed[MOST_MIXED];
	static size_t count = 0;
	const mb_kernels *set = set_of(name);
	bool		library = strstr(name, "/openblas") != NULL;
	mb_kernels *table;
	size_t		i;

	if (set == NULL || (!library && strstr(name, "/ref") == NULL))
		return NULL;
	for (i = 0; i < count; i++)
		if (mixed[i].name == set->name &&
			(strcmp(mixed[i].gemm_name, "openblas") == 0) == library)
			return &mixed[i];
	if (count == MOST_MIXED)
		return NULL;
	table = &mixed[count++];
	*table = *set;
	table->gemm_name = library ? "openblas" : "ref";
	table->matrix = library ? mb_matrix_openblas : mb_matrix_ref;
	for (i = MB_FORMAT_FLOAT; i <= MB_FORMAT_BFLOAT; i++)
		table->linear[i] = library ? &mb_exact_openblas : &mb_exact_ref;
	if (library)
		table->begin = mb_begin_openblas;
	return table;
}

/* A table of the product or of the tests; NULL: this processor has none. */
static const mb_kernels *
find_table(const char *name)
{
	const mb_kernels *table = mb_kernels_find(name);

	return table != NULL ? table : mix_table(name);
}

#endif							/* TABLES_H */
