/*-------------------------------------------------------------------------
 *
 * checkpoint.h
 *	  Which tensors a checkpoint has, under which names and shapes.
 *
 * A "slot" is one tensor the network can use.  The list of slots follows from
 * the configuration alone, in execution order; a file (or a set of shards)
 * fills slots.  Slots have their family's names: those of the base model without
 * the prefix (as "bert."), those of heads as in the task classes.  A module after
 * pooling has a file of its own, and its slots the name "modules.N." before what
 * stands in there, N being its place in modules.json.
 *
 * Source: spec model.md sections 5.2 and 9, families.md section 5.
 * Depends on base/arena.h, base/status.h, model/config.h, model/family.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_CHECKPOINT_H
#define MB_CHECKPOINT_H

#include "base/arena.h"
#include "base/status.h"
#include "model/config.h"
#include "model/family.h"

#define MB_SLOT_NAME_MAX 96

typedef struct mb_slot
{
	char		name[MB_SLOT_NAME_MAX];
	mb_part		part;
	uint32_t	rank;			/* 1 or 2 */
	uint64_t	shape[2];		/* [out, in] or [n]; elements may be 0 */
} mb_slot;

/*
 * Number of slots and the slot of a number; slots are dense, base first and
 * heads last.  mb_slot_index finds a canonical name without a search over the
 * slots; -1 when there is none.
 */
extern size_t mb_slot_count(const mb_config *config);
extern void mb_slot_get(const mb_config *config, size_t index, mb_slot *slot);
extern ptrdiff_t mb_slot_index(const mb_config *config, const char *name);

/* Part and number of elements alone: no name is made, so this is cheap. */
extern mb_part mb_slot_part(const mb_config *config, size_t index);
extern uint64_t mb_slot_size(const mb_config *config, size_t index);

/* The slot of a tensor in a module's own file, or -1. */
extern ptrdiff_t mb_slot_of_module(const mb_config *config, size_t module,
								   const char *name);

/*
 * Is the slot the weight of a linear layer of the encoder, which kernels want
 * in panels?  shape [out, in] is set in any case, [n, 1] for rank 1.
 */
extern bool mb_slot_linear(const mb_config *config, size_t index,
						   uint64_t shape[2]);

static inline uint64_t
mb_slot_elements(const mb_slot *slot)
{
	return slot->rank == 2 ? slot->shape[0] * slot->shape[1] : slot->shape[0];
}

/*
 * Which slot each of count file names fills: slots[i] = slot number, or -1 for
 * a name that is ignored (position_ids, tensors of no known part, those of
 * modules, which are not in this file).  Applies
 * the prefix rule, gamma/beta, decoder.bias for bias (cls.predictions.bias is
 * the canonical slot, and wins when both are there).  Two names that fill one
 * slot are an error unless one of those rules decides.
 */
extern mb_status mb_checkpoint_match(const mb_config *config,
									 const char *const *names, size_t count,
									 mb_arena *arena, int32_t *slots,
									 mb_error *err);

/* Error naming the tensor unless the shape is the slot's. */
extern mb_status mb_checkpoint_shape(const mb_slot *slot, const char *name,
									 uint32_t rank, const uint64_t *shape,
									 mb_error *err);

/*
 * True for a part that the class named in "architectures" does not have.
 * Hugging Face ignores such tensors, whatever they are, unless asked for: one
 * whose shape or dtype is wrong counts as absent, where it would be an error
 * in the class's own parts.
 */
extern bool mb_checkpoint_stray(const mb_config *config, mb_part part);

/*
 * present[slot] says which slots are filled.  Every slot of the base and of the
 * modules must be, and every other part wholly or not at all (an incomplete stray part counts as
 * absent); *parts gets a bit (1 << mb_part) for each complete part.  Untied
 * decoder only counts when tie_word_embeddings is false.  Slots without
 * elements are never missing.
 */
extern mb_status mb_checkpoint_complete(const mb_config *config,
										const bool *present, uint32_t *parts,
										mb_error *err);

/* Bits of mb_task: what "parts" and the architecture make possible. */
extern uint32_t mb_checkpoint_tasks(const mb_config *config, uint32_t parts);

/*
 * Where a tensor goes: layer and network are -1 outside such; the last network
 * of a layer has the number feedforwards - 1.
 */
typedef struct mb_slot_place
{
	mb_site		site;
	bool		bias;
	ptrdiff_t	layer;
	ptrdiff_t	network;
	ptrdiff_t	module;			/* in the configuration's list; or -1 */
} mb_slot_place;

extern mb_slot_place mb_slot_locate(const mb_config *config, size_t index);

#endif							/* MB_CHECKPOINT_H */
