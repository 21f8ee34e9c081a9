/*-------------------------------------------------------------------------
 *
 * driver.c
 *	  A stand-in for libFuzzer: seeds, and random changes of them.
 *
 *	fuzz_json [-runs=N] [-max_total_time=SECONDS] [-seed=N] [-random=N]
 *		[file or folder ...]
 *
 * With -random inputs are N random bytes instead of changed seeds, for targets
 * that take bytes as choices.  It has no notion of coverage, so it finds less; but it needs no particular
 * compiler, and the same arguments give the same inputs on every machine.
 * Other options, which libFuzzer would know, are passed over.  On a failure the
 * input is kept in the file "crash-PROGRAM", which can be given as a seed.
 *
 *-------------------------------------------------------------------------
 */
#include "fuzz.h"

#include <dirent.h>
#include <signal.h>
#include <time.h>

#define MAX_SEEDS 1000
#define INPUT_LIMIT 100000

typedef struct seed
{
	uint8_t    *bytes;
	size_t		size;
} seed;

static seed seeds[MAX_SEEDS];
static size_t seed_count;
static uint64_t state;

/* The input that runs now, and where it goes when it fails. */
static const uint8_t *current;
static size_t current_size;
static char crash_name[300];

/* The address sanitizer ends the program without abort(), but calls this. */
extern void __sanitizer_set_death_callback(void (*callback) (void))
__attribute__((weak));

/* The one for undefined behaviour does not, but can be told to abort(). */
extern const char *__ubsan_default_options(void);

const char *
__ubsan_default_options(void)
{
	return "abort_on_error=1:print_stacktrace=1";
}

static void
keep_input(void)
{
	FILE	   *file = fopen(crash_name, "wb");

	if (file == NULL)
		return;
	if (current_size > 0)
		fwrite(current, 1, current_size, file);
	fclose(file);
	fprintf(stderr, "the input is in \"%s\"\n", crash_name);
}

static void
on_abort(int signal_number)
{
	signal(signal_number, SIG_DFL);
	keep_input();
}

static void
watch_failures(const char *program)
{
	const char *slash = strrchr(program, '/');

	snprintf(crash_name, sizeof(crash_name), "crash-%.200s",
			 slash == NULL ? program : slash + 1);
	signal(SIGABRT, on_abort);
	if (__sanitizer_set_death_callback != NULL)
		__sanitizer_set_death_callback(keep_input);
	else
		signal(SIGSEGV, on_abort);
}

/* xorshift64*; 0 is never its state. */
static uint32_t
random_number(void)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t) ((state * UINT64_C(2685821657736338717)) >> 32);
}

static size_t
random_below(size_t limit)
{
	return limit == 0 ? 0 : random_number() % limit;
}

static void
add_seed(const uint8_t *bytes, size_t size)
{
	if (seed_count == MAX_SEEDS)
		return;
	seeds[seed_count].bytes = malloc(size + 1);
	if (size > 0)
		memcpy(seeds[seed_count].bytes, bytes, size);
	seeds[seed_count].size = size;
	seed_count++;
}

static void
add_path(const char *path)
{
	static uint8_t buffer[INPUT_LIMIT];
	DIR		   *directory = opendir(path);
	struct dirent *entry;
	FILE	   *file;

	if (directory != NULL)
	{
		while ((entry = readdir(directory)) != NULL)
		{
			char		inner[4096];

			if (entry->d_name[0] == '.')
				continue;
			snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name);
			add_path(inner);
		}
		closedir(directory);
		return;
	}
	file = fopen(path, "rb");
	if (file == NULL)
	{
		fprintf(stderr, "could not open \"%s\"\n", path);
		exit(2);
	}
	add_seed(buffer, fread(buffer, 1, sizeof(buffer), file));
	fclose(file);
}

/* Bytes that matter to the formats under test. */
static const char tokens[] =
"\"\\{}[]:,.-+eE0123456789truefalsn\x00\x01\x7F\x80\xC3\xA9\xE2\xFF ";

/* One change of input[size]; returns the new size, at most INPUT_LIMIT. */
static size_t
mutate(uint8_t *input, size_t size)
{
	size_t		at = random_below(size + 1);
	size_t		length = 1 + random_below(random_below(4) == 0 ? 64 : 8);
	const seed *other = &seeds[random_below(seed_count)];

	switch (random_below(6))
	{
		case 0:					/* change a bit */
			if (at < size)
				input[at] ^= (uint8_t) (1 << random_below(8));
			return size;
		case 1:					/* change a byte */
			if (at < size)
				input[at] = (uint8_t) tokens[random_below(sizeof(tokens) - 1)];
			return size;
		case 2:					/* remove some */
			if (length > size - at)
				length = size - at;
			memmove(input + at, input + at + length, size - at - length);
			return size - length;
		case 3:					/* repeat some */
			if (length > size - at)
				length = size - at;
			if (size + length > INPUT_LIMIT)
				return size;
			memmove(input + at + length, input + at, size - at);
			return size + length;
		case 4:					/* put in a byte */
			if (size + 1 > INPUT_LIMIT)
				return size;
			memmove(input + at + 1, input + at, size - at);
			input[at] = (uint8_t) tokens[random_below(sizeof(tokens) - 1)];
			return size + 1;
		default:				/* go on as another seed does */
			if (other->size == 0)
				return size;
			length = random_below(other->size);
			if (at + other->size - length > INPUT_LIMIT)
				return size;
			memcpy(input + at, other->bytes + length, other->size - length);
			return at + other->size - length;
	}
}

/* Run on an exact copy, so that a sanitizer sees a read beyond its end. */
static void
run_input(const uint8_t *bytes, size_t size)
{
	uint8_t    *copy = malloc(size > 0 ? size : 1);

	if (size > 0)
		memcpy(copy, bytes, size);
	current = bytes;
	current_size = size;
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

/* Changes of a seed, or so many random bytes */
static size_t
make_input(uint8_t *input, size_t random)
{
	const seed *from = &seeds[random_below(seed_count)];
	size_t		size = from->size;
	size_t		changes = 1 + random_below(6);
	size_t		i;

	if (random > 0)
	{
		for (i = 0; i < random; i++)
			input[i] = (uint8_t) random_number();
		return random;
	}
	memcpy(input, from->bytes, size);
	while (changes-- > 0)
		size = mutate(input, size);
	return size;
}

int
main(int argc, char **argv)
{
	static uint8_t input[INPUT_LIMIT];
	long		runs = 5000;
	long		seconds = 0;
	size_t		random = 0;
	time_t		start = time(NULL);
	long		run;
	size_t		i;
	int			arg;

	state = 1;
	watch_failures(argv[0]);
	for (arg = 1; arg < argc; arg++)
	{
		if (strncmp(argv[arg], "-runs=", 6) == 0)
			runs = atol(argv[arg] + 6);
		else if (strncmp(argv[arg], "-max_total_time=", 16) == 0)
			seconds = atol(argv[arg] + 16);
		else if (strncmp(argv[arg], "-seed=", 6) == 0)
			state = (uint64_t) atol(argv[arg] + 6) * 2 + 1;
		else if (strncmp(argv[arg], "-random=", 8) == 0)
			random = (size_t) atol(argv[arg] + 8) % INPUT_LIMIT;
		else if (argv[arg][0] != '-')
			add_path(argv[arg]);
	}
	if (seed_count == 0)
		add_seed((const uint8_t *) "", 0);

	for (i = 0; i < seed_count; i++)
		run_input(seeds[i].bytes, seeds[i].size);
	for (run = 0; run < runs; run++)
	{
		if (seconds > 0 && time(NULL) - start >= seconds)
			break;
		run_input(input, make_input(input, random));
	}
	for (i = 0; i < seed_count; i++)
		free(seeds[i].bytes);
	printf("%zu seeds and %ld %s: no failure\n", seed_count, run,
		   random > 0 ? "random inputs" : "changes of them");
	return 0;
}
