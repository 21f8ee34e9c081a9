/*-------------------------------------------------------------------------
 *
 * engine.h
 *	  What the adapter takes of the engine; the one header that src/pg includes.
 *
 * The engine is plain C over libc, with utf8proc in tokenizer/text.c only and
 * BLAS in one file of kernels/ only; it knows nothing of the server, which
 * border.pl checks.  A header stands here only if src/pg needs it itself:
 *
 *	base		memory, errors and cancel; JSON, for a model's documents; large
 *				pages and checksums, for image files; sums of vectors
 *	kernels		the instruction set, chosen and named; the formats of weights
 *	model		a model from its files to an image, its labels
 *	encoder		passes over the encoder, heads, pooling
 *	tasks		from a head's logits to what a SQL function returns; long texts
 *				in pieces
 *	learning	heads from labelled rows, and reports of how good they are
 *	tokenizer	text to tokens and back
 *
 * Start reading at tokenizer/tokenizer.h and encoder/forward.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_ENGINE_H
#define MB_ENGINE_H

#include "base/arena.h"
#include "base/crc32c.h"
#include "base/dtype.h"
#include "base/exact_sum.h"
#include "base/json.h"
#include "base/pages.h"
#include "base/status.h"
#include "kernels/choose.h"
#include "kernels/gemm.h"
#include "kernels/kernels.h"
#include "kernels/panels.h"
#include "learning/fit.h"
#include "learning/fit_rows.h"
#include "learning/fit_task.h"
#include "learning/report.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "encoder/forward.h"
#include "encoder/heads.h"
#include "model/image.h"
#include "model/image_write.h"
#include "model/labels.h"
#include "model/model.h"
#include "encoder/modules.h"
#include "encoder/pooling.h"
#include "model/safetensors.h"
#include "model/settings.h"
#include "tasks/answers.h"
#include "tasks/chunks.h"
#include "tasks/classifier.h"
#include "tasks/entities.h"
#include "tasks/losses.h"
#include "tasks/markup.h"
#include "tasks/patterns/patterns.h"
#include "tasks/scores.h"
#include "tasks/spans.h"
#include "tasks/zero_shot.h"
#include "tokenizer/tokenizer.h"

#endif							/* MB_ENGINE_H */
