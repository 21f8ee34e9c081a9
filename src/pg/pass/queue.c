/*-------------------------------------------------------------------------
 *
 * queue.c
 *	  Calls that wait for their passes, each in memory of its own.
 *
 * One SQL call that makes many of the network (the documents of rank(), the
 * rows of an aggregate) gives them to a run (calls.c), so that they share
 * passes.  A call waits until its last sequence has run, and as many of them
 * wait as a pass has room for; then it goes to its owner, and its memory with
 * it.  So memory does not grow with the number of calls.
 *
 * Depends on server/pg.h, pass/calls.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "pass/calls.h"
#include "pass/queue.h"

#include "utils/memutils.h"

void
mobilebert_queue_init(MobilebertQueue *queue,
					  void (*done) (void *owner, MobilebertQueued *queued),
					  void *owner)
{
	memset(queue, 0, sizeof(*queue));
	queue->context = CurrentMemoryContext;
	queue->done = done;
	queue->owner = owner;
	mobilebert_run_init(&queue->run);
}

MobilebertQueued *
mobilebert_queue_room(const MobilebertQueue *queue, size_t size)
{
	MemoryContext context = AllocSetContextCreate(queue->context,
												  "mobilebert queued call",
												  ALLOCSET_DEFAULT_SIZES);
	MobilebertQueued *queued = MemoryContextAllocZero(context, size);

	queued->context = context;
	return queued;
}

static void
give_out(MobilebertQueue *queue)
{
	while (queue->first != NULL && queue->first->call->done)
	{
		MobilebertQueued *queued = queue->first;

		queue->first = queued->next;
		if (queue->first == NULL)
			queue->last = NULL;
		queue->done(queue->owner, queued);
		MemoryContextDelete(queued->context);
	}
}

void
mobilebert_queue_add(MobilebertQueue *queue, MobilebertQueued *queued)
{
	if (queue->last != NULL)
		queue->last->next = queued;
	else
		queue->first = queued;
	queue->last = queued;
	mobilebert_run_add(&queue->run, queued->call);
	give_out(queue);
}

void
mobilebert_queue_flush(MobilebertQueue *queue)
{
	mobilebert_run_flush(&queue->run);
	give_out(queue);
}
