/*-------------------------------------------------------------------------
 *
 * documents.h
 *	  The documents of a model: configuration, tokenizer and settings files,
 *	  kept byte for byte under the names they have in a directory; where
 *	  modules.json puts them elsewhere, under those that they mostly have, and
 *	  of modules after Pooling under their number in it.
 *
 * A set is filled by an import, or read from the registry; each document is
 * parsed at most once.  What they say together is read here too: an import
 * checks it, an image is made of it.
 *
 * Depends on server/pg.h, models/registry.h.
 *
 *-------------------------------------------------------------------------
 */
#ifndef MOBILEBERT_DOCUMENTS_H
#define MOBILEBERT_DOCUMENTS_H

#include "server/pg.h"
#include "models/registry.h"

typedef enum DocumentKind
{
	DOC_CONFIG,
	DOC_TOKENIZER,
	DOC_VOCAB,
	DOC_TOKENIZER_CONFIG,
	DOC_SPECIAL_TOKENS,
	DOC_ADDED_TOKENS,			/* up to here: of the Transformer itself */
	DOC_MODULES,
	DOC_POOLING,
	DOC_SENTENCE_BERT,
	DOC_SENTENCE_CONFIG,
	DOC_MODULE,					/* the first of MB_MODULES_LIMIT */
	DOC_CLASSIFIER = DOC_MODULE + MB_MODULES_LIMIT, /* these two: of a
													 * classifier that was
													 * fitted on the states of
													 * the model of all others */
	DOC_CLASSIFIER_WEIGHTS,
	DOC_COUNT
} DocumentKind;

/* "config.json", "1_Pooling/config.json", "modules/2/config.json", ... */
extern const char *const document_names[DOC_COUNT];

typedef struct Documents
{
	mb_document files[DOC_COUNT];	/* text NULL: there is none */
	mb_json    *trees[DOC_COUNT];	/* those parsed so far */
	mb_arena   *arena;			/* of trees and what is made of them */
} Documents;

extern void documents_init(Documents *documents, mb_arena *arena);

/*
 * Read one document, or all, of a registered model into the current context;
 * snapshot NULL: the newest.  An error when there is no configuration.
 */
extern void documents_load(Documents *documents, const RegistryModel *model,
						   DocumentKind kind, Snapshot snapshot);
extern void documents_load_all(Documents *documents,
							   const RegistryModel *model, Snapshot snapshot);

/* Those that documents_settings() reads. */
extern void documents_load_settings(Documents *documents,
									const RegistryModel *model,
									Snapshot snapshot);

/* A document as a tree, parsed once; NULL when there is no such document. */
extern mb_json *documents_tree(Documents *documents, DocumentKind kind);

/* What the configuration and the files of sentence-transformers say together. */
extern void documents_settings(Documents *documents, mb_config *config,
							   mb_sentence_settings *settings);

/* The blob that the files of the tokenizer make; both of documents_settings. */
extern void documents_tokenizer(Documents *documents, const mb_config *config,
								const mb_sentence_settings *settings,
								void **blob, size_t *size);

#endif							/* MOBILEBERT_DOCUMENTS_H */
