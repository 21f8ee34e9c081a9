/*-------------------------------------------------------------------------
 *
 * fit_options.c
 *	  Options of the aggregate fit(): one jsonb, as calls of aggregates cannot
 *	  name arguments.
 *
 * Depends on server/pg.h, models/model_cache.h, functions/embed.h,
 * learn/fit.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "models/model_cache.h"
#include "functions/embed.h"
#include "learn/fit.h"

#include <math.h>

#include "utils/builtins.h"
#include "utils/numeric.h"

/* What was given, before the model is asked; 0 and NULL: nothing. */
typedef struct GivenOptions
{
	bool		has_layer;
	int			layer;
	text	   *pooling;
	FitOptions *result;
} GivenOptions;

pg_noreturn static void
bad_option(const char *name, const JsonbValue *value, const char *legal)
{
	JsonbValue	copy = *value;
	Jsonb	   *json = JsonbValueToJsonb(&copy);

	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for option \"%s\": %s", name,
					JsonbToCString(NULL, &json->root, VARSIZE(json))),
			 errdetail("Legal values are %s.", legal)));
}

/* Infinite where it is beyond the doubles. */
static double
number_of(const JsonbValue *value)
{
	return strtod(DatumGetCString(DirectFunctionCall1(numeric_out,
													  NumericGetDatum(value->val.numeric))),
				  NULL);
}

/* A whole number of a range. */
static int
int_option(const char *name, const JsonbValue *value, int low, int high,
		   const char *legal)
{
	double		number;

	if (value->type != jbvNumeric)
		bad_option(name, value, legal);
	number = number_of(value);
	if (number != floor(number) || number < low || number > high)
		bad_option(name, value, legal);
	return (int) number;
}

static void
layer_option(GivenOptions *given, const char *name, const JsonbValue *value)
{
	given->layer = int_option(name, value, PG_INT16_MIN, PG_INT16_MAX,
							  "numbers of hidden states, or negative ones counted from the end");
	given->has_layer = true;
}

static void
pooling_option(GivenOptions *given, const char *name, const JsonbValue *value)
{
	if (value->type != jbvString)
		bad_option(name, value, "those of embed's option \"pooling\"");
	given->pooling = cstring_to_text_with_len(value->val.string.val,
											  value->val.string.len);
}

static void
l2_option(GivenOptions *given, const char *name, const JsonbValue *value)
{
	double		l2 = 0;

	if (value->type == jbvNumeric)
		l2 = number_of(value);
	if (!(l2 > 0 && l2 <= 1e300))
		bad_option(name, value, "numbers greater than 0, up to 1e300");
	given->result->l2 = l2;
}

static void
class_weight_option(GivenOptions *given, const char *name,
					const JsonbValue *value)
{
	char	   *weight = value->type == jbvString ?
		pnstrdup(value->val.string.val, value->val.string.len) : "";

	given->result->balanced = strcmp(weight, "balanced") == 0;
	if (!given->result->balanced && strcmp(weight, "none") != 0)
		bad_option(name, value, "\"none\" and \"balanced\"");
}

static void
folds_option(GivenOptions *given, const char *name, const JsonbValue *value)
{
	given->result->folds = (unsigned) int_option(name, value, MB_FIT_MIN_FOLDS,
												 MB_FIT_MAX_FOLDS,
												 psprintf("integers from %d to %d",
														  MB_FIT_MIN_FOLDS,
														  MB_FIT_MAX_FOLDS));
	given->result->own_folds = true;
}

static const struct
{
	const char *name;
	void		(*read) (GivenOptions *given, const char *name,
						 const JsonbValue *value);
}			options_known[] =
{
	{"layer", layer_option},
	{"pooling", pooling_option},
	{"l2", l2_option},
	{"class_weight", class_weight_option},
	{"folds", folds_option}
};

/* null is the default */
static void
read_option(GivenOptions *given, const JsonbValue *key,
			const JsonbValue *value)
{
	char	   *name = pnstrdup(key->val.string.val, key->val.string.len);
	size_t		i;

	for (i = 0; i < lengthof(options_known); i++)
	{
		if (strcmp(options_known[i].name, name) != 0)
			continue;
		if (value->type != jbvNull)
			options_known[i].read(given, name, value);
		return;
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unrecognized option of fit: \"%s\"", name),
			 errhint("Options are layer, pooling, l2, class_weight and folds.")));
}

static void
read_object(GivenOptions *given, Jsonb *options)
{
	JsonbIterator *iterator = JsonbIteratorInit(&options->root);
	JsonbIteratorToken token;
	JsonbValue	key;
	JsonbValue	value;

	if (!JB_ROOT_IS_OBJECT(options))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("options of fit must be an object"),
				 errhint("Options are layer, pooling, l2, class_weight and folds: fit(body, label, 'model', '{\"folds\": 10}').")));
	while ((token = JsonbIteratorNext(&iterator, &key, true)) != WJB_DONE)
	{
		if (token != WJB_KEY)
			continue;
		(void) JsonbIteratorNext(&iterator, &value, true);
		read_option(given, &key, &value);
	}
}

/* The layer that was given, or the last ones to choose from. */
static void
set_layers(const GivenOptions *given, const MobilebertModel *model,
		   FitOptions *result)
{
	int			count = (int) model->image.config.layers + 1;
	int			layer = given->layer < 0 ? given->layer + count : given->layer;
	bool		pooler = mb_poolings_contain(result->pooling, MB_POOL_POOLER);

	result->own_layer = given->has_layer;
	if (!given->has_layer)
	{
		result->layers = pooler ? 1 : Min(count, MB_FIT_LAYERS);
		result->first_layer = (size_t) count - result->layers;
		return;
	}
	if (layer < 0 || layer >= count)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for option \"layer\": %d",
						given->layer),
				 errdetail("Legal values are 0 to %d, or -1 to -%d counted from the end.",
						   count - 1, count)));
	if (pooler && layer != count - 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("pooling \"pooler\" needs the last layer"),
				 errhint("Leave out the option \"layer\".")));
	result->layers = 1;
	result->first_layer = (size_t) layer;
}

void
fit_options_read(Jsonb *options, const MobilebertModel *model,
				 FitOptions *result)
{
	GivenOptions given = {0};

	memset(result, 0, sizeof(*result));
	given.result = result;
	result->l2 = MB_FIT_CHOOSE_L2;
	result->folds = MB_FIT_FOLDS;
	if (options != NULL)
		read_object(&given, options);
	result->pooling = embed_pooling(given.pooling);
	if (result->pooling == 0)
		result->pooling = model->image.settings.pooling;
	set_layers(&given, model, result);
	if (mb_poolings_contain(result->pooling, MB_POOL_POOLER) &&
		(model->registry->tasks & MB_TASK_POOLER) == 0)
		mobilebert_no_head(model->registry, MB_TASK_POOLER);
}
