/*-------------------------------------------------------------------------
 *
 * documents.c
 *	  Names, reading and parsing of a model's documents.
 *
 * Depends on server/pg.h, server/adapt.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/documents.h"

const char *const document_names[DOC_COUNT] = {
	[DOC_CONFIG] = "config.json",
	[DOC_TOKENIZER] = "tokenizer.json",
	[DOC_VOCAB] = "vocab.txt",
	[DOC_TOKENIZER_CONFIG] = "tokenizer_config.json",
	[DOC_SPECIAL_TOKENS] = "special_tokens_map.json",
	[DOC_ADDED_TOKENS] = "added_tokens.json",
	[DOC_MODULES] = "modules.json",
	[DOC_POOLING] = "1_Pooling/config.json",
	[DOC_SENTENCE_BERT] = "sentence_bert_config.json",
	[DOC_SENTENCE_CONFIG] = "config_sentence_transformers.json",
	[DOC_MODULE] = "modules/2/config.json",
	[DOC_MODULE + 1] = "modules/3/config.json",
	[DOC_MODULE + 2] = "modules/4/config.json",
	[DOC_MODULE + 3] = "modules/5/config.json",
	[DOC_MODULE + 4] = "modules/6/config.json",
	[DOC_MODULE + 5] = "modules/7/config.json",
	[DOC_MODULE + 6] = "modules/8/config.json",
	[DOC_MODULE + 7] = "modules/9/config.json",
	[DOC_CLASSIFIER] = "classifier.json",
	[DOC_CLASSIFIER_WEIGHTS] = "classifier.safetensors"
};

StaticAssertDecl(MB_MODULES_FIRST == 2 && MB_MODULES_LIMIT == 8,
				 "these are the names of the modules after Pooling");

void
documents_init(Documents *documents, mb_arena *arena)
{
	memset(documents, 0, sizeof(*documents));
	documents->arena = arena;
}

void
documents_load(Documents *documents, const RegistryModel *model,
			   DocumentKind kind, Snapshot snapshot)
{
	bytea	   *file = registry_file(&model->id, document_names[kind],
									 snapshot);

	if (file != NULL)
	{
		documents->files[kind].text = VARDATA(file);
		documents->files[kind].length = VARSIZE(file) - VARHDRSZ;
	}
	else if (kind == DOC_CONFIG)
		registry_incomplete(model, "Its \"config.json\" is missing.");
}

void
documents_load_all(Documents *documents, const RegistryModel *model,
				   Snapshot snapshot)
{
	int			kind;

	registry_check_files(model, snapshot);
	for (kind = 0; kind < DOC_COUNT; kind++)
		documents_load(documents, model, (DocumentKind) kind, snapshot);
}

void
documents_load_settings(Documents *documents, const RegistryModel *model,
						Snapshot snapshot)
{
	int			kind;

	documents_load(documents, model, DOC_CONFIG, snapshot);
	for (kind = DOC_MODULES; kind < DOC_CLASSIFIER; kind++)
		documents_load(documents, model, (DocumentKind) kind, snapshot);
}

mb_json *
documents_tree(Documents *documents, DocumentKind kind)
{
	const mb_document *file = &documents->files[kind];

	if (documents->trees[kind] == NULL && file->text != NULL)
		ENGINE_CALL(mb_json_parse, file->text, file->length,
					document_names[kind], true, documents->arena,
					&mobilebert_cancel, &documents->trees[kind]);
	return documents->trees[kind];
}

void
documents_settings(Documents *documents, mb_config *config,
				   mb_sentence_settings *settings)
{
	mb_sentence_files files;
	int			i;

	files.config = documents_tree(documents, DOC_CONFIG);
	files.modules = documents_tree(documents, DOC_MODULES);
	files.pooling = documents_tree(documents, DOC_POOLING);
	files.sentence_bert = documents_tree(documents, DOC_SENTENCE_BERT);
	files.sentence_config = documents_tree(documents, DOC_SENTENCE_CONFIG);
	for (i = 0; i < MB_MODULES_LIMIT; i++)
		files.following[i] = documents_tree(documents, DOC_MODULE + i);
	ENGINE_CALL(mb_config_read, files.config, config);
	ENGINE_CALL(mb_sentence_settings_read, &files, settings);
	ENGINE_CALL(mb_modules_read, &files, settings, config);
}

void
documents_tokenizer(Documents *documents, const mb_config *config,
					const mb_sentence_settings *settings, void **blob,
					size_t *size)
{
	const mb_json *class = mb_json_get(documents_tree(documents, DOC_CONFIG),
									   "tokenizer_class");
	const mb_document *of = documents->files;
	mb_tokenizer_files files;

	memset(&files, 0, sizeof(files));
	files.class_name = class != NULL && class->type == MB_JSON_STRING ?
		class->text :
		psprintf("%sTokenizer", mb_family_of(config)->class_prefix);
	files.lowercase_first = settings->do_lower_case;
	files.tokenizer_json = of[DOC_TOKENIZER];
	files.vocab_txt = of[DOC_VOCAB];
	files.tokenizer_config = of[DOC_TOKENIZER_CONFIG];
	files.special_tokens_map = of[DOC_SPECIAL_TOKENS];
	files.added_tokens = of[DOC_ADDED_TOKENS];
	ENGINE_CALL(mb_tokenizer_build, &files, documents->arena,
				&mobilebert_cancel, blob, size);
}
