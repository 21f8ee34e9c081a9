/*-------------------------------------------------------------------------
 *
 * import_read.c
 *	  Reading what is to be imported: directories, files, large objects.
 *
 * Depends on server/pg.h, server/adapt.h, models/registry.h,
 * import/import_model.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "server/adapt.h"
#include "models/registry.h"
#include "import/import_model.h"
#include "import/import_read.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "libpq/be-fsstubs.h"
#include "libpq/libpq-fs.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/fmgrprotos.h"

#define DOCUMENT_MAX (256 * 1024 * 1024)
#define MAX_SHARDS 1000

void
import_read_bytes(const WeightFile *file, uint64 offset, char *target,
				  size_t size)
{
	if (file->memory != NULL)
	{
		memcpy(target, file->memory + offset, size);
		return;
	}
	while (size > 0)
	{
		ssize_t		got;
		size_t		step = Min(size, IMPORT_CHUNK);

		CHECK_FOR_INTERRUPTS();
		if (file->object >= 0)
		{
			DirectFunctionCall3(be_lo_lseek64, Int32GetDatum(file->object),
								Int64GetDatum((int64) offset),
								Int32GetDatum(SEEK_SET));
			got = lo_read(file->object, target, (int) step);
		}
		else
		{
			got = pread(file->fd, target, step, (off_t) offset);
			if (got < 0 && errno == EINTR)
				continue;
		}
		if (got < 0)
			ereport(ERROR,
					(errcode_for_file_access(),
					 errmsg("could not read file \"%s\": %m", file->name)));
		if (got == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("model file \"%s\" ended while it was read",
							file->name)));
		target += got;
		offset += (uint64) got;
		size -= (size_t) got;
	}
}

/* What to do where the system refused to open a path, by its errno. */
static int
refusal_hint(int number)
{
	if (number == EACCES)
		return errhint("The operating system's user that runs the server must be able to read the directory and its files, and to enter all directories above.");
	if (number == ENOENT)
		return errhint("A path is one of the server's machine; a model on the Hugging Face Hub has to be downloaded first.");
	return 0;
}

/*
 * Open a regular file for reading; false when there is none.  Without waiting:
 * a pipe must not hold a backend.  What is checked is what was opened.
 */
static bool
open_file(WeightFile *file, const char *directory, const char *name)
{
	struct stat st;

	memset(file, 0, sizeof(WeightFile));
	file->name = psprintf("%s/%s", directory, name);
	file->object = -1;
	file->fd = OpenTransientFile(file->name,
								 O_RDONLY | O_NONBLOCK | PG_BINARY);
	if (file->fd < 0 && (errno == ENOENT || errno == ENOTDIR))
		return false;
	if (file->fd < 0 || fstat(file->fd, &st) != 0)
	{
		int			number = errno;

		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open model file \"%s\": %m",
						file->name),
				 refusal_hint(number)));
	}
	if (!S_ISREG(st.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("model file \"%s\" is not a regular file",
						file->name)));
	file->size = (uint64) st.st_size;
	return true;
}

void
import_open_object(WeightFile *file, Oid object)
{
	file->name = psprintf("large object %u", object);
	file->fd = -1;
	/* the server's own functions: they check rights and clean up */
	file->object = DatumGetInt32(DirectFunctionCall2(be_lo_open,
													 ObjectIdGetDatum(object),
													 Int32GetDatum(INV_READ)));
	file->size = (uint64) DatumGetInt64(DirectFunctionCall3(be_lo_lseek64,
															Int32GetDatum(file->object),
															Int64GetDatum(0),
															Int32GetDatum(SEEK_END)));
}

void
import_close(Import *import)
{
	int			i;

	for (i = 0; i < import->weight_file_count; i++)
	{
		const WeightFile *file = &import->weight_files[i];

		if (file->object >= 0)
			DirectFunctionCall1(be_lo_close, Int32GetDatum(file->object));
		else if (file->fd >= 0)
			CloseTransientFile(file->fd);
	}
	for (i = 0; i < MB_MODULES_LIMIT; i++)
		if (import->module_files[i].name != NULL)
			CloseTransientFile(import->module_files[i].fd);
}

void
import_refuse_pointer(const char *name, const char *content, size_t size)
{
	static const char start[] = "version https://git-lfs.github.com/spec/";

	if (size < strlen(start) || memcmp(content, start, strlen(start)) != 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("model file \"%s\" is a pointer of git-lfs, not the file itself",
					name),
			 errdetail("A clone without git-lfs has a few lines of text in the place of each large file."),
			 errhint("Run \"git lfs pull\" in the clone, or download the file by itself.")));
}

/* A whole file, or false when there is none. */
static bool
read_file(const char *directory, const char *name, mb_document *document)
{
	WeightFile	file;
	char	   *content;

	if (!open_file(&file, directory, name))
		return false;
	if (file.size > DOCUMENT_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("file \"%s\" is too large", file.name),
				 errdetail("It has " UINT64_FORMAT " bytes; the limit is %d.",
						   file.size, DOCUMENT_MAX)));
	content = palloc(file.size + 1);
	import_read_bytes(&file, 0, content, file.size);
	content[file.size] = '\0';
	CloseTransientFile(file.fd);
	import_refuse_pointer(file.name, content, file.size);
	document->text = content;
	document->length = file.size;
	return true;
}

static void
no_weights(const char *directory)
{
	static const char convert[] =
		"Convert the model with weights/convert.py of the source distribution.";
	static const struct
	{
		const char *name;
		const char *hint;
	}			others[] = {
		{"pytorch_model.bin", convert},
		{"pytorch_model.bin.index.json", convert},
		{"tf_model.h5", convert},
		{"model.ckpt.index", convert},
		{"flax_model.msgpack",
		"Load it with from_flax=True in Hugging Face's transformers, version 4, and save it with save_pretrained()."}
	};
	int			i;

	for (i = 0; i < (int) lengthof(others); i++)
	{
		struct stat st;

		if (stat(psprintf("%s/%s", directory, others[i].name), &st) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("weights in \"%s\" are not read",
							others[i].name),
					 errdetail("Directory \"%s\" has no \"model.safetensors\".",
							   directory),
					 errhint("%s", others[i].hint)));
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_FILE),
			 errmsg("directory \"%s\" has no \"model.safetensors\"",
					directory)));
}

static bool
plain_file_name(const char *name)
{
	return name[0] != '\0' && name[0] != '.' && strlen(name) < 256 &&
		strchr(name, '/') == NULL && strchr(name, '\\') == NULL;
}

/* Open the files that an index names, each once. */
static void
open_shards(Import *import, const char *directory, const mb_document *index)
{
	mb_json    *root;
	mb_json    *item;

	ENGINE_CALL(mb_json_parse, index->text, index->length,
				"model.safetensors.index.json", true, &import->arena,
				&mobilebert_cancel, &root);
	import->index = mb_json_get(root, "weight_map");
	if (import->index == NULL || import->index->type != MB_JSON_OBJECT)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("\"model.safetensors.index.json\" has no \"weight_map\"")));
	import->weight_files = palloc0(MAX_SHARDS * sizeof(WeightFile));
	for (item = import->index->child; item != NULL; item = item->next)
	{
		WeightFile *file;
		int			i;

		CHECK_FOR_INTERRUPTS();
		if (item->type != MB_JSON_STRING || !plain_file_name(item->text))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("\"model.safetensors.index.json\" gives no valid file name for tensor \"%s\"",
							mobilebert_message(item->key))));
		for (i = 0; i < import->weight_file_count; i++)
			if (strcmp(strrchr(import->weight_files[i].name, '/') + 1,
					   item->text) == 0)
				break;
		if (i < import->weight_file_count)
			continue;
		if (import->weight_file_count == MAX_SHARDS)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("the model has more than %d files", MAX_SHARDS)));
		file = &import->weight_files[import->weight_file_count];
		if (!open_file(file, directory, item->text))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_FILE),
					 errmsg("model file \"%s\" does not exist",
							file->name),
					 errdetail("The model's index names it.")));
		import->weight_file_count++;
	}
}

/* Names of the Transformer's settings, as sentence-transformers looks. */
static const char *const sentence_names[] = {
	"sentence_bert_config.json", "sentence_roberta_config.json",
	"sentence_distilbert_config.json", "sentence_camembert_config.json",
	"sentence_albert_config.json", "sentence_xlm-roberta_config.json",
	"sentence_xlnet_config.json"
};

/*
 * The configuration of a module, where modules.json puts it; returns its
 * folder.
 */
static char *
read_module(Import *import, const char *directory, const char *module,
			const char *path, int kind)
{
	char	   *folder;

	if (path == NULL || path[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("\"modules.json\" has no folder for the module %s",
						module)));
	folder = psprintf("%s/%s", directory, path);
	if (!read_file(folder, "config.json", &import->documents.files[kind]))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("file \"%s/config.json\" does not exist",
						mobilebert_message(folder)),
				 errdetail("\"modules.json\" says that the module %s is there.",
						   module)));
	return folder;
}

/* Modules after Pooling that have a configuration and weights. */
static void
read_following(Import *import, const char *directory,
			   const mb_sentence_modules *modules)
{
	uint32		i;

	for (i = 0; i < modules->count; i++)
	{
		char	   *folder;

		if (modules->kinds[i] != MB_MODULE_DENSE &&
			modules->kinds[i] != MB_MODULE_LAYER_NORM)
			continue;
		folder = read_module(import, directory,
							 mb_module_name(modules->kinds[i]),
							 modules->paths[i], DOC_MODULE + (int) i);
		if (!open_file(&import->module_files[i], folder, "model.safetensors"))
			no_weights(mobilebert_message(folder));
	}
}

/*
 * The files of sentence-transformers.  The library reads none of them where
 * there is no modules.json.  Gives the folder of the Transformer: everything
 * else of the model is there.
 */
static const char *
read_sentence_files(Import *import, const char *directory)
{
	mb_document *files = import->documents.files;
	mb_sentence_modules modules;
	const char *folder = directory;
	int			i;

	if (!read_file(directory, document_names[DOC_MODULES],
				   &files[DOC_MODULES]))
		return directory;
	ENGINE_CALL(mb_sentence_modules_read,
				documents_tree(&import->documents, DOC_MODULES), &modules);
	if (modules.transformer_path != NULL &&
		modules.transformer_path[0] != '\0')
		folder = psprintf("%s/%s", directory, modules.transformer_path);
	(void) read_file(directory, document_names[DOC_SENTENCE_CONFIG],
					 &files[DOC_SENTENCE_CONFIG]);
	if (modules.pooling)
		(void) read_module(import, directory, "Pooling", modules.pooling_path,
						   DOC_POOLING);
	read_following(import, directory, &modules);
	for (i = 0; i < (int) lengthof(sentence_names); i++)
		if (read_file(folder, sentence_names[i], &files[DOC_SENTENCE_BERT]))
			break;
	return folder;
}

void
import_read_directory(Import *import, const char *directory)
{
	mb_document index;
	struct stat st;
	int			i;

	if (stat(directory, &st) != 0)
	{
		int			number = errno;

		ereport(ERROR,
				(errcode_for_file_access(),
				 errmsg("could not open directory \"%s\": %m", directory),
				 refusal_hint(number)));
	}
	if (!S_ISDIR(st.st_mode))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a directory", directory),
				 errhint("Name the directory that holds config.json and model.safetensors.")));
	directory = read_sentence_files(import, directory);
	for (i = 0; i < DOC_MODULES; i++)
		(void) read_file(directory, document_names[i],
						 &import->documents.files[i]);
	if (import->documents.files[DOC_CONFIG].text == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_FILE),
				 errmsg("directory \"%s\" has no \"config.json\"",
						directory)));

	import->weight_files = palloc0(sizeof(WeightFile));
	if (open_file(import->weight_files, directory, "model.safetensors"))
		import->weight_file_count = 1;
	else if (read_file(directory, "model.safetensors.index.json", &index))
		open_shards(import, directory, &index);
	else
		no_weights(directory);
}
