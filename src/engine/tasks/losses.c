/*-------------------------------------------------------------------------
 *
 * losses.c
 *	  Losses, term by term.
 *
 * Depends on tasks/losses.h, tasks/scores.h.
 *
 *-------------------------------------------------------------------------
 */
#include "tasks/losses.h"

#include <math.h>

#include "tasks/scores.h"

double
mb_loss_mean(const mb_loss *loss)
{
	return loss->terms == 0 ? NAN : loss->sum / (double) loss->terms;
}

bool
mb_is_label(int32_t label, size_t count)
{
	return label == MB_NO_LABEL || (label >= 0 && (size_t) label < count);
}

void
mb_loss_class(mb_loss *loss, const float *logits, size_t count, int32_t label)
{
	if (label == MB_NO_LABEL)
		return;
	loss->sum += mb_cross_entropy(logits, count, (size_t) label);
	loss->terms++;
}

void
mb_loss_position(mb_loss *loss, const float *logits, size_t count,
				 int64_t position)
{
	if (position < 0)
		position = 0;
	if ((uint64_t) position >= count)
		return;
	loss->sum += mb_cross_entropy(logits, count, (size_t) position);
	loss->terms++;
}

void
mb_loss_squares(mb_loss *loss, const float *outputs, const float *targets,
				size_t count)
{
	size_t		i;

	for (i = 0; i < count; i++)
	{
		double		difference = (double) outputs[i] - targets[i];

		loss->sum += difference * difference;
	}
	loss->terms += count;
}

/*
 * -t log s(x) - (1 - t) log(1 - s(x)), written so that neither logarithm is
 * taken of a number that has become 0.
 */
void
mb_loss_binary(mb_loss *loss, const float *logits, const float *targets,
			   size_t count)
{
	size_t		i;

	for (i = 0; i < count; i++)
	{
		double		x = logits[i];

		loss->sum += (1 - (double) targets[i]) * x + log1p(exp(-fabs(x))) +
			(x < 0 ? -x : 0);
	}
	loss->terms += count;
}
