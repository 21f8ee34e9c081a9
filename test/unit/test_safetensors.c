/*-------------------------------------------------------------------------
 *
 * test_safetensors.c
 *	  Every rule of the safetensors format.
 *
 *-------------------------------------------------------------------------
 */
#include "model/safetensors.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static mb_arena arena;
static mb_error err;
static mb_safetensors file;

/* Read a header of a file with so many bytes of data. */
static mb_status
read_header(const char *header, uint64_t data)
{
	return mb_safetensors_read(header, strlen(header),
							   8 + strlen(header) + data, "file", &arena, NULL,
							   &file, &err);
}

#define ENTRY(name, dtype, shape, offsets) \
	"\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape \
	",\"data_offsets\":" offsets "}"

static const struct
{
	const char *header;
	uint64_t	data;
}			valid[] = {
	{"{}", 0},
	{"{}      ", 0},
	{"{\"__metadata__\":{}}", 0},
	{"{\"__metadata__\":{\"format\":\"pt\",\"x\":\"y\"}}", 0},
	{"{\"__metadata__\":null}", 0},
	{"{\"__metadata__\":{\"format\":\"mlx\"}}", 0},
	{"{\"__metadata__\":{\"x\":\"y\"}}", 0},
	{"{" ENTRY("a", "F32", "[2,3]", "[0,24]") "}", 24},
	{"{" ENTRY("a", "F32", "[]", "[0,4]") "}", 4},
	{"{" ENTRY("a", "F32", "[0,5]", "[0,0]") "}", 0},
	{"{" ENTRY("b", "F16", "[2]", "[4,8]") "," ENTRY("a", "BF16", "[2]",
													 "[0,4]") "}", 8},
	{"{" ENTRY("z", "F32", "[0]", "[4,4]") "," ENTRY("a", "F32", "[1]",
													 "[0,4]") ","
	ENTRY("y", "U8", "[0]", "[4,4]") "," ENTRY("b", "F64", "[1]", "[4,12]")
	"}", 12},
	{"{" ENTRY("a", "F4", "[2,3]", "[0,3]") "}", 3},
	{"{" ENTRY("a", "F6_E2M3", "[4]", "[0,3]") "}", 3},
	{"{" ENTRY("a", "I64", "[1]", "[0,8]") "}", 8},
	{"{\"a\":{\"shape\":[1],\"x\":1,\"data_offsets\":[0,1],\"x\":2,"
	"\"dtype\":\"BOOL\"}}", 1},
	{"{" ENTRY("a\\u0062", "F32", "[1,1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4}
};

static const struct
{
	const char *header;
	uint64_t	data;
	mb_status	status;
	const char *names;
}			invalid[] = {
	{"", 0, MB_ERR_DATA, "begin"},
	{" {}", 0, MB_ERR_DATA, "begin"},
	{"[]", 0, MB_ERR_DATA, "begin"},
	{"{}x", 0, MB_ERR_DATA, "JSON"},
	{"{", 0, MB_ERR_DATA, "JSON"},
	{"{\"\xFF\":1}", 0, MB_ERR_DATA, "UTF-8"},
	{"{\"a\":1}", 0, MB_ERR_DATA, "\"a\""},
	{"{\"a\":{}}", 0, MB_ERR_DATA, "dtype"},
	{"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, MB_ERR_DATA,
	"data_offsets"},
	{"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, MB_ERR_DATA,
	"shape"},
	{"{\"a\":{\"dtype\":1,\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
	MB_ERR_DATA, "dtype"},
	{"{" ENTRY("a", "F33", "[1]", "[0,4]") "}", 4, MB_ERR_DATA, "F33"},
	{"{" ENTRY("a", "f32", "[1]", "[0,4]") "}", 4, MB_ERR_DATA, "f32"},
	{"{" ENTRY("a", "F32\\u0000", "[1]", "[0,4]") "}", 4, MB_ERR_DATA, "F32"},
	{"{" ENTRY("a", "F32", "[1.0]", "[0,4]") "}", 4, MB_ERR_DATA, "shape"},
	{"{" ENTRY("a", "F32", "[1e0]", "[0,4]") "}", 4, MB_ERR_DATA, "shape"},
	{"{" ENTRY("a", "F32", "[-1]", "[0,4]") "}", 4, MB_ERR_DATA, "shape"},
	{"{" ENTRY("a", "F32", "[\"1\"]", "[0,4]") "}", 4, MB_ERR_DATA, "shape"},
	{"{" ENTRY("a", "F32", "1", "[0,4]") "}", 4, MB_ERR_DATA, "shape"},
	{"{" ENTRY("a", "F32", "{\"a\":1}", "[0,4]") "}", 4, MB_ERR_DATA, "shape"},
	{"{" ENTRY("a", "F32", "[18446744073709551616]", "[0,4]") "}", 4,
	MB_ERR_DATA, "shape"},
	{"{" ENTRY("a", "F32", "[4294967296,4294967296,4294967296]", "[0,4]") "}",
	4, MB_ERR_DATA, "large"},
	{"{" ENTRY("a", "F32", "[9223372036854775808,2,0]", "[0,0]") "}", 0,
	MB_ERR_DATA, "large"},
	{"{" ENTRY("a", "F32", "[4611686018427387904]", "[0,0]") "}", 0,
	MB_ERR_DATA, "large"},
	{"{" ENTRY("a", "F32", "[1]", "[0]") "}", 4, MB_ERR_DATA, "data_offsets"},
	{"{" ENTRY("a", "F32", "[1]", "[0,4,4]") "}", 4, MB_ERR_DATA,
	"data_offsets"},
	{"{" ENTRY("a", "F32", "[1]", "[0,4.0]") "}", 4, MB_ERR_DATA,
	"data_offsets"},
	{"{" ENTRY("a", "F32", "[1]", "[4,0]") "}", 4, MB_ERR_DATA, "ends before"},
	{"{" ENTRY("a", "F32", "[2]", "[0,8]") "}", 4, MB_ERR_DATA, "after"},
	{"{" ENTRY("a", "F32", "[1]", "[0,8]") "}", 8, MB_ERR_DATA, "fit"},
	{"{" ENTRY("a", "F4", "[3]", "[0,1]") "}", 1, MB_ERR_DATA, "whole"},
	{"{" ENTRY("a", "F32", "[1]", "[4,8]") "}", 8, MB_ERR_DATA, "hole"},
	{"{" ENTRY("a", "F32", "[1]", "[0,4]") "," ENTRY("b", "F32", "[1]",
													 "[8,12]") "}", 12,
	MB_ERR_DATA, "hole"},
	{"{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("b", "F32", "[2]",
													 "[4,12]") "}", 12,
	MB_ERR_DATA, "overlaps"},
	{"{" ENTRY("a", "F32", "[2]", "[0,8]") "," ENTRY("b", "F32", "[0]",
													 "[4,4]") "}", 8,
	MB_ERR_DATA, "overlaps"},
	{"{" ENTRY("a", "F32", "[1]", "[0,4]") "}", 5, MB_ERR_DATA, "cover"},
	{"{}", 1, MB_ERR_DATA, "cover"},
	{"{" ENTRY("a", "F32", "[1]", "[0,4]") "," ENTRY("a", "F32", "[1]",
													 "[4,8]") "}", 8,
	MB_ERR_DATA, "twice"},
	{"{" ENTRY("a", "F32", "[0]", "[0,0]") "," ENTRY("\\u0061", "F32", "[0]",
													 "[0,0]") "}", 0,
	MB_ERR_DATA, "twice"},
	{"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],"
	"\"data_offsets\":[0,4]}}", 4, MB_ERR_DATA, "twice"},
	{"{\"__metadata__\":{},\"__metadata__\":{}}", 0, MB_ERR_DATA, "twice"},
	{"{\"__metadata__\":[]}", 0, MB_ERR_DATA, "__metadata__"},
	{"{\"__metadata__\":{\"a\":1}}", 0, MB_ERR_DATA, "__metadata__"},
	{"{\"__metadata__\":{\"format\":\"tf\"}}", 0, MB_ERR_UNSUPPORTED, "tf"},
	{"{\"__metadata__\":{\"format\":\"flax\"}}", 0, MB_ERR_UNSUPPORTED,
	"flax"},
	{"{" ENTRY("a\\u0000b", "F32", "[1]", "[0,4]") "}", 4, MB_ERR_DATA, "zero"}
};

static void
test_rules(void)
{
	size_t		i;

	for (i = 0; i < sizeof(valid) / sizeof(valid[0]); i++)
		ok(read_header(valid[i].header, valid[i].data) == MB_OK,
		   "valid: %s", valid[i].header);
	for (i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		ok(read_header(invalid[i].header, invalid[i].data) ==
		   invalid[i].status && strstr(err.message, invalid[i].names) != NULL,
		   "invalid %zu: %s", i, err.message);
}

static void
test_result(void)
{
	static const char header[] =
	"{" ENTRY("b", "F16", "[2,1]", "[4,8]") ","
	ENTRY("a", "BF16", "[1,1,1,1,1,1,1,1,2]", "[0,4]") "}";
	uint64_t	start = 8 + strlen(header);

	ok(read_header(header, 8) == MB_OK && file.count == 2, "two tensors");
	ok(strcmp(file.entries[0].name, "a") == 0 &&
	   strcmp(file.entries[1].name, "b") == 0, "in order of the data");
	ok(file.entries[0].rank == 9 && file.entries[0].shape[7] == 1 &&
	   file.entries[0].dtype == MB_DTYPE_BF16 &&
	   strcmp(file.entries[0].dtype_name, "BF16") == 0, "rank and dtype");
	ok(file.entries[1].rank == 2 && file.entries[1].shape[0] == 2 &&
	   file.entries[1].shape[1] == 1 && file.entries[1].begin == start + 4 &&
	   file.entries[1].end == start + 8, "shape and place in the file");
}

static mb_status
header_length(uint64_t n, uint64_t file_size, size_t *length)
{
	uint8_t		bytes[8];
	int			i;

	for (i = 0; i < 8; i++)
		bytes[i] = (uint8_t) (n >> (8 * i));
	return mb_safetensors_header_length(bytes, file_size, "file", length, &err);
}

static void
test_length(void)
{
	size_t		length = 1;

	ok(header_length(0x0201, 100000, &length) == MB_OK && length == 0x0201,
	   "little-endian length");
	ok(header_length(0, 7, &length) == MB_ERR_DATA, "file too short");
	ok(header_length(2, 10, &length) == MB_OK, "header fills the file");
	ok(header_length(3, 10, &length) == MB_ERR_DATA, "header beyond the file");
	ok(header_length(100000000, 100000008, &length) == MB_OK, "largest header");
	ok(header_length(100000001, UINT64_MAX, &length) == MB_ERR_DATA,
	   "larger: %s", err.message);
	ok(header_length(UINT64_MAX, UINT64_MAX, &length) == MB_ERR_DATA,
	   "no overflow");
	ok(mb_safetensors_read("{}", 2, 9, "file", &arena, NULL, &file,
						   &err) == MB_ERR_DATA, "checked again on reading");
}

static bool
count_down(void *context)
{
	int		   *left = context;

	return (*left)-- <= 0;
}

/* Many tensors, in the worst order for a naive sort. */
static void
test_many(void)
{
	size_t		count = 20000;
	char	   *header = malloc(count * 80 + 100);
	size_t		used = 1;
	size_t		i;
	int			left = 1000;
	mb_cancel	cancel = {count_down, &left};
	bool		ordered = true;

	header[0] = '{';
	for (i = count; i-- > 0;)
		used += (size_t) sprintf(header + used, "\"t%06zu\":{\"dtype\":\"U8\","
								 "\"shape\":[3],\"data_offsets\":[%zu,%zu]}%s",
								 i, 3 * i, 3 * i + 3, i > 0 ? "," : "}");
	ok(mb_safetensors_read(header, used, 8 + used + 3 * count, "file", &arena,
						   &cancel, &file, &err) == MB_OK &&
	   file.count == count, "%zu tensors", count);
	for (i = 0; i < count; i++)
		ordered = ordered && file.entries[i].begin == 8 + used + 3 * i;
	ok(ordered, "in order");
	ok(left < 990, "asked %d times for a cancel", 1000 - left);
	left = 8;
	ok(mb_safetensors_read(header, used, 8 + used + 3 * count, "file", &arena,
						   &cancel, &file, &err) == MB_ERR_CANCELLED,
	   "cancelled");

	/* The first name once more at the end. */
	memcpy(strstr(header, "t000000"), "t019999", 7);
	ok(mb_safetensors_read(header, used, 8 + used + 3 * count, "file", &arena,
						   NULL, &file, &err) == MB_ERR_DATA &&
	   strstr(err.message, "t019999") != NULL, "repeated name: %s",
	   err.message);
	free(header);
}

int
main(void)
{
	mb_arena_init(&arena, &mb_libc_memory, SIZE_MAX);
	test_rules();
	test_result();
	test_length();
	test_many();
	mb_arena_free(&arena);
	return done_testing();
}
