/*-------------------------------------------------------------------------
 *
 * queue.h
 *	  Calls that wait for their passes, each in memory of its own.
 *
 * Depends on server/pg.h, pass/calls.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_QUEUE_H
#define MOBILEBERT_QUEUE_H

#include "server/pg.h"
#include "pass/calls.h"

/*
 * A call in the queue.  Who needs to know more of it puts this first in a
 * struct of their own, and makes the call and all that belongs to it in
 * "context", which ends when "done" has seen it.
 */
typedef struct MobilebertQueued MobilebertQueued;
struct MobilebertQueued
{
	MobilebertQueued *next;
	MemoryContext context;
	MobilebertCall *call;
};

/* Calls go out in the order in which they came in. */
typedef struct MobilebertQueue
{
	MemoryContext context;
	MobilebertRun run;
	MobilebertQueued *first;
	MobilebertQueued *last;
	void		(*done) (void *owner, MobilebertQueued *queued);
	void	   *owner;
} MobilebertQueue;

/* Everything lies in the current context. */
extern void mobilebert_queue_init(MobilebertQueue *queue,
								  void (*done) (void *owner,
												MobilebertQueued *queued),
								  void *owner);

/* Room for a struct of that size, zeroed, in a context of its own. */
extern MobilebertQueued *mobilebert_queue_room(const MobilebertQueue *queue,
											   size_t size);

/* Add one whose call is made. */
extern void mobilebert_queue_add(MobilebertQueue *queue,
								 MobilebertQueued *queued);

/* Run what waits. */
extern void mobilebert_queue_flush(MobilebertQueue *queue);

#endif							/* MOBILEBERT_QUEUE_H */
