/*-------------------------------------------------------------------------
 *
 * config_names.h
 *	  Names that config.json has for values, for what reads it and what writes
 *	  it.
 *
 * The first name of a value is the one that is written.
 *
 * Depends on kernels/linear.h, model/config.h, model/config_keys.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_CONFIG_NAMES_H
#define MB_CONFIG_NAMES_H

#include "kernels/linear.h"
#include "model/config.h"
#include "model/config_keys.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const mb_named_value activations[] = {
	{"relu", MB_ACT_RELU},
	{"gelu", MB_ACT_GELU},
	{"gelu_python", MB_ACT_GELU},
	{"gelu_new", MB_ACT_GELU_TANH},
	{"gelu_accurate", MB_ACT_GELU_TANH},
	{"gelu_pytorch_tanh", MB_ACT_GELU_TANH},
	{"gelu_python_tanh", MB_ACT_GELU_TANH},
	{"gelu_fast", MB_ACT_GELU_FAST},
	{"quick_gelu", MB_ACT_QUICK_GELU},
	{"gelu_10", MB_ACT_GELU_10},
	{"silu", MB_ACT_SILU},
	{"swish", MB_ACT_SILU},
	{"relu6", MB_ACT_RELU6},
	{"relu2", MB_ACT_RELU2},
	{"leaky_relu", MB_ACT_LEAKY_RELU},
	{"mish", MB_ACT_MISH},
	{"sigmoid", MB_ACT_SIGMOID},
	{"tanh", MB_ACT_TANH},
	{"linear", MB_ACT_LINEAR},
	{"laplace", MB_ACT_LAPLACE}
};

static const mb_named_value problems[] = {
	{"regression", MB_PROBLEM_REGRESSION},
	{"single_label_classification", MB_PROBLEM_SINGLE_LABEL},
	{"multi_label_classification", MB_PROBLEM_MULTI_LABEL}
};

/* Behind the family's prefix */
static const mb_named_value architectures[] = {
	{"Model", MB_ARCH_MODEL},
	{"ForPreTraining", MB_ARCH_PRETRAINING},
	{"ForMaskedLM", MB_ARCH_MASKED_LM},
	{"ForNextSentencePrediction", MB_ARCH_NEXT_SENTENCE},
	{"ForSequenceClassification", MB_ARCH_SEQUENCE},
	{"ForMultipleChoice", MB_ARCH_MULTIPLE_CHOICE},
	{"ForTokenClassification", MB_ARCH_TOKEN},
	{"ForQuestionAnswering", MB_ARCH_QUESTION}
};

static const mb_named_value normalizations[] = {
	{"no_norm", 0},
	{"layer_norm", 1}
};

#endif							/* MB_CONFIG_NAMES_H */
