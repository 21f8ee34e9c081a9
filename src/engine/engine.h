/*-------------------------------------------------------------------------
 *
 * engine.h
 *	  Everything the engine offers; the one header that src/pg includes.
 *
 * The engine is plain C over libc, with utf8proc in text.c only and BLAS in
 * gemm.c only; it knows nothing of the server (a check in the Makefile holds
 * that).  Start reading at tokenizer.h and forward.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MB_ENGINE_H
#define MB_ENGINE_H

#include "answers.h"
#include "arena.h"
#include "checkpoint.h"
#include "config.h"
#include "entities.h"
#include "forward.h"
#include "heads.h"
#include "image.h"
#include "json.h"
#include "kernels.h"
#include "labels.h"
#include "losses.h"
#include "model.h"
#include "pages.h"
#include "panels.h"
#include "safetensors.h"
#include "scores.h"
#include "status.h"
#include "tokenizer.h"
#include "zero_shot.h"

#endif							/* MB_ENGINE_H */
