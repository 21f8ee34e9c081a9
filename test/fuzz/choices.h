/*-------------------------------------------------------------------------
 *
 * choices.h
 *	  An input's bytes as choices, for targets that make up what they test:
 *	  when the bytes are used up, random numbers that they start go on.
 *
 * Depends on libc only; functions are static, like tap.h's.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_CHOICES_H
#define MB_CHOICES_H

#include <stddef.h>
#include <stdint.h>

typedef struct choices
{
	const uint8_t *data;
	size_t		size;
	uint64_t	state;
} choices;

static inline void
start_choices(choices *c, const uint8_t *data, size_t size)
{
	size_t		i;

	c->data = data;
	c->size = size;
	c->state = UINT64_C(0xcbf29ce484222325);
	for (i = 0; i < size; i++)
		c->state = (c->state ^ data[i]) * UINT64_C(0x100000001b3);
}

static inline uint32_t
random_bits(choices *c)
{
	c->state = c->state * UINT64_C(6364136223846793005) +
		UINT64_C(1442695040888963407);
	return (uint32_t) (c->state >> 33);
}

/* 0 to limit - 1: of the next two bytes, or at random */
static inline uint32_t
choose(choices *c, uint32_t limit)
{
	uint32_t	value;

	if (c->size < 2)
		return random_bits(c) % limit;
	value = (uint32_t) c->data[0] << 8 | c->data[1];
	c->data += 2;
	c->size -= 2;
	return value % limit;
}

/* Small numbers more often than large ones, from 1 to most */
static inline uint32_t
choose_size(choices *c, uint32_t most)
{
	uint32_t	bits = 0;
	uint32_t	limit;

	while (most >> bits > 1)
		bits++;
	limit = 2u << choose(c, bits + 1);
	return 1 + choose(c, limit < most ? limit : most);
}

#endif							/* MB_CHOICES_H */
