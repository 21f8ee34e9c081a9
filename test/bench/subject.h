/*-------------------------------------------------------------------------
 *
 * subject.h
 *	  What compare.c knows of an engine: nothing but this.
 *
 * Each tree's engine becomes a shared library that exports one symbol,
 * subject_engine.  Names and types of the engine itself may differ between
 * the two trees, so none of them appears here.
 *
 * Depends on nothing.
 *
 *-------------------------------------------------------------------------
 */
#ifndef SUBJECT_H
#define SUBJECT_H

#include <stddef.h>
#include <stdint.h>

typedef struct subject
{
	/*
	 * A Hugging Face directory, ready for passes of so many tokens, in memory
	 * of its own that close() gives back.  One at a time in a library.
	 */
	void	   *(*open) (const char *directory, const char *precision,
						 const char *instruction_set, size_t tokens);

	/*
	 * One pass over packed texts, starts [texts + 1].  The states of all tokens
	 * stay until the next call; *count is how many numbers they are.
	 */
	const float *(*run) (void *model, size_t texts, const size_t *starts,
						 const int32_t *ids, size_t *count);
	void		(*close) (void *model);
} subject;

#define SUBJECT_SYMBOL "subject_engine"

#endif							/* SUBJECT_H */
