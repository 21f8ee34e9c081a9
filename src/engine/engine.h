/*-------------------------------------------------------------------------
 *
 * engine.h
 *	  Everything the engine offers; the one header that src/pg includes.
 *
 * The engine is plain C over libc, with utf8proc in text.c only and BLAS in
 * gemm.c only; it knows nothing of the server (a check in the Makefile holds
 * that).  Start reading at tokenizer/tokenizer.h and model/forward.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_ENGINE_H
#define MB_ENGINE_H

#include "base/arena.h"
#include "base/crc32c.h"
#include "base/dtype.h"
#include "base/json.h"
#include "base/pages.h"
#include "base/status.h"
#include "kernels/kernels.h"
#include "kernels/panels.h"
#include "model/checkpoint.h"
#include "model/config.h"
#include "model/forward.h"
#include "model/heads.h"
#include "model/image.h"
#include "model/labels.h"
#include "model/model.h"
#include "model/pooling.h"
#include "model/safetensors.h"
#include "tasks/answers.h"
#include "tasks/entities.h"
#include "tasks/losses.h"
#include "tasks/scores.h"
#include "tasks/zero_shot.h"
#include "tokenizer/tokenizer.h"

#endif							/* MB_ENGINE_H */
