/*-------------------------------------------------------------------------
 *
 * steps.c
 *	  The linear layers of a pass in the order in which they run.
 *
 * Source: transformers' modeling_mobilebert; spec model.md sections 2 and 3.
 * Depends on libc only.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/steps.h"

bool
mb_step_chained(const mb_kernels *kernels, const mb_step *s)
{
	const mb_linear_kernel *kernel = kernels->linear[s->linear->format];

	return s->next != NULL && s->next->format == s->linear->format &&
		kernel != NULL && kernel->chained;
}

/* y = linear(x) */
static mb_status
visit_linear(const mb_step_visitor *v, const mb_linear *linear, mb_buffer x,
			 mb_buffer y)
{
	mb_step		s = {linear, x, y, MB_ACT_LINEAR, MB_BUFFER_NONE, NULL, 0.0f,
	NULL};

	return v->visit(v->context, &s);
}

/* y = Norm(linear(x) + residual) */
static mb_status
visit_normed(const mb_step_visitor *v, const mb_linear *linear, mb_buffer x,
			 mb_buffer y, mb_buffer residual, const mb_norm *norm,
			 float epsilon)
{
	mb_step		s = {linear, x, y, MB_ACT_LINEAR, residual, norm, epsilon,
	NULL};

	return v->visit(v->context, &s);
}

bool
mb_transforms_embedding(const mb_config *config)
{
	return config->trigram_input ||
		config->embedding_size != config->hidden_size;
}

mb_status
mb_embedding_steps(const mb_model *model, const mb_step_visitor *v)
{
	if (!mb_transforms_embedding(&model->config))
		return MB_OK;
	return visit_linear(v, &model->embedding_transformation, MB_BUFFER_WIDE,
						MB_BUFFER_STATES);
}

mb_status
mb_project_steps(const mb_model *model, const mb_layer *layer, int wanted,
				 const mb_step_visitor *v)
{
	const mb_config *c = &model->config;
	mb_buffer	query_input = MB_BUFFER_STATES;
	mb_buffer	value_input = MB_BUFFER_STATES;
	mb_status	status = MB_OK;

	/* all that reads h first: an operand is prepared once */
	if (c->use_bottleneck &&
		(wanted & MB_PROJECT_QUERIES || c->use_bottleneck_attention))
		status = visit_normed(v, &layer->bottleneck_input, MB_BUFFER_STATES,
							  MB_BUFFER_RESIDUAL, MB_BUFFER_NONE,
							  &layer->bottleneck_input_norm,
							  c->layer_norm_eps);
	if (c->use_bottleneck && c->use_bottleneck_attention)
		query_input = value_input = MB_BUFFER_RESIDUAL;
	else if (c->use_bottleneck && c->key_query_shared_bottleneck)
	{
		query_input = MB_BUFFER_NARROW;
		if (status == MB_OK)
			status = visit_normed(v, &layer->bottleneck_attention,
								  MB_BUFFER_STATES, query_input, MB_BUFFER_NONE,
								  &layer->bottleneck_attention_norm,
								  c->layer_norm_eps);
	}
	if (status == MB_OK && wanted & MB_PROJECT_KEYS)
		status = visit_linear(v, &layer->value, value_input, MB_BUFFER_VALUE);
	if (status == MB_OK && wanted & MB_PROJECT_QUERIES)
		status = visit_linear(v, &layer->query, query_input, MB_BUFFER_QUERY);
	if (status == MB_OK && wanted & MB_PROJECT_KEYS)
		status = visit_linear(v, &layer->key, query_input, MB_BUFFER_KEY);
	return status;
}

/* y = Norm(lin(act(lin(a))) + a) (model.md 3.4) */
static mb_status
feedforward_steps(const mb_model *model, const mb_feedforward *net,
				  float epsilon, mb_buffer y, const mb_step_visitor *v)
{
	mb_step		s = {&net->intermediate, MB_BUFFER_NARROW, MB_BUFFER_WIDE,
		(mb_activation) model->config.activation, MB_BUFFER_NONE, NULL, 0.0f,
	&net->output};
	mb_status	status = v->visit(v->context, &s);

	if (status != MB_OK)
		return status;
	return visit_normed(v, &net->output, MB_BUFFER_WIDE, y, MB_BUFFER_NARROW,
						&net->norm, epsilon);
}

mb_status
mb_finish_steps(const mb_model *model, const mb_layer *layer,
				const mb_step_visitor *v)
{
	const mb_config *c = &model->config;
	size_t		last = c->feedforwards - 1;
	mb_status	status;
	size_t		j;

	status = visit_normed(v, &layer->attention_output, MB_BUFFER_QUERY,
						  MB_BUFFER_NARROW,
						  c->use_bottleneck ? MB_BUFFER_RESIDUAL :
						  MB_BUFFER_STATES,
						  &layer->attention_norm, c->layer_norm_eps);
	for (j = 0; j < last && status == MB_OK; j++)
		status = feedforward_steps(model, &layer->feedforwards[j],
								   c->layer_norm_eps, MB_BUFFER_NARROW, v);
	if (status == MB_OK)
		status = feedforward_steps(model, &layer->feedforwards[last],
								   c->output_norm_eps,
								   c->use_bottleneck ? MB_BUFFER_NARROW :
								   MB_BUFFER_STATES, v);
	if (status != MB_OK || !c->use_bottleneck)
		return status;
	return visit_normed(v, &layer->bottleneck_output, MB_BUFFER_NARROW,
						MB_BUFFER_STATES, MB_BUFFER_STATES,
						&layer->bottleneck_output_norm, c->layer_norm_eps);
}

void
mb_walk_steps(const mb_model *model, const mb_step_visitor *v)
{
	(void) mb_embedding_steps(model, v);
	if (model->config.layers == 0)
		return;
	(void) mb_project_steps(model, &model->layers[0],
							MB_PROJECT_QUERIES | MB_PROJECT_KEYS, v);
	(void) mb_finish_steps(model, &model->layers[0], v);
}
