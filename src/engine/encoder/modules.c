/*-------------------------------------------------------------------------
 *
 * modules.c
 *	  Running the modules after Pooling.
 *
 * A Dense is run as the heads are: one row, sums in double, its weights as
 * float rows whatever the precision of the model.  Beside the encoder it costs
 * little, and a vector that is compared with others had better not be rounded
 * at its last step.
 *
 * Source: sentence-transformers' Dense, LayerNorm and Normalize; spec
 * families.md 7.1.
 * Depends on encoder/pooling.h, kernels/kernels.h.
 *
 *-------------------------------------------------------------------------
 */
#include "encoder/modules.h"

#include "encoder/pooling.h"
#include "kernels/kernels.h"

#include <string.h>

#define LAYER_NORM_EPSILON 1e-5f	/* torch's default; no file says another */

size_t
mb_modules_width(const mb_config *config, size_t pooled)
{
	return config->module_count == 0 ? pooled :
		config->modules[config->module_count - 1].outputs;
}

size_t
mb_modules_room(const mb_config *config, size_t pooled)
{
	size_t		room = pooled;
	uint32_t	i;

	for (i = 0; i < config->module_count; i++)
	{
		if (config->modules[i].outputs > room)
			room = config->modules[i].outputs;
	}
	return room;
}

size_t
mb_vector_width(const mb_config *config, const mb_sentence_settings *settings)
{
	size_t		width = mb_modules_width(config, (size_t)
										 mb_poolings_count(settings->pooling) *
										 config->hidden_size);

	return settings->truncate_dim > 0 && settings->truncate_dim < width ?
		settings->truncate_dim : width;
}

mb_status
mb_modules_run(const mb_model *model, float *vector, float *scratch,
			   const mb_cancel *cancel, mb_error *err)
{
	const mb_config *config = &model->config;
	mb_status	status = MB_OK;
	uint32_t	i;

	for (i = 0; i < config->module_count && status == MB_OK; i++)
	{
		const mb_module *module = &config->modules[i];
		const mb_module_weights *weights = &model->modules[i];

		switch ((mb_module_kind) module->kind)
		{
			case MB_MODULE_DENSE:
				status = mb_dense_state(model, &weights->dense,
										(mb_activation) module->activation,
										vector, scratch, cancel, err);
				memcpy(vector, scratch, module->outputs * sizeof(float));
				break;
			case MB_MODULE_LAYER_NORM:
				model->kernels->layer_norm(vector, NULL, weights->norm.weight,
										   weights->norm.bias,
										   LAYER_NORM_EPSILON, vector,
										   module->outputs);
				break;
			case MB_MODULE_NORMALIZE:
				mb_normalize(vector, module->outputs);
				break;
			case MB_MODULE_NONE:
			case MB_MODULE_KINDS:
				break;
		}
	}
	return status;
}
