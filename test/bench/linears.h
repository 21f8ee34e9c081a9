/*-------------------------------------------------------------------------
 *
 * linears.h
 *	  The linear layers of an encoder, one after the other.
 *
 * Depends on the engine; functions are static.
 *
 *-------------------------------------------------------------------------
 */
#ifndef LINEARS_H
#define LINEARS_H

#include "model/model.h"

/* What is done with each linear layer of the encoder that is there */
typedef void (*linear_visitor) (void *context, const mb_linear *linear);

static void
walk_linears(const mb_model *model, linear_visitor visit, void *context)
{
	uint32_t	i;
	uint32_t	j;

	for (i = 0; i < model->config.layers; i++)
	{
		const mb_layer *layer = &model->layers[i];

		if (model->config.use_bottleneck)
			visit(context, &layer->bottleneck_input);
		if (layer->bottleneck_attention.panels != NULL)
			visit(context, &layer->bottleneck_attention);
		visit(context, &layer->value);
		visit(context, &layer->query);
		visit(context, &layer->key);
		visit(context, &layer->attention_output);
		for (j = 0; j < model->config.feedforwards; j++)
		{
			visit(context, &layer->feedforwards[j].intermediate);
			visit(context, &layer->feedforwards[j].output);
		}
		if (model->config.use_bottleneck)
			visit(context, &layer->bottleneck_output);
	}
}

#endif							/* LINEARS_H */
