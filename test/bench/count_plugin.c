/*-------------------------------------------------------------------------
 *
 * count_plugin.c
 *	  A plugin of qemu that counts the instructions of an aarch64 program.
 *
 * At the end it prints how many there were, how many of them were vector and
 * floating-point arithmetic, and how many loads and stores, by the top-level
 * encoding of A64.  What it needs of qemu-plugin.h, version 1 of the interface,
 * is declared here: Debian does not ship that header with qemu-user.
 *
 * Depends on qemu's plugin interface.
 *
 *-------------------------------------------------------------------------
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;

enum inline_operation
{
	INLINE_ADD_U64
};

extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id,
							void (*cb) (plugin_id id, struct qemu_plugin_tb *tb));
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(
									const struct qemu_plugin_tb *tb, size_t i);
extern const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *insn);
extern void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *tb,
							enum inline_operation op, void *to, uint64_t add);
extern void qemu_plugin_register_atexit_cb(plugin_id id,
							void (*cb) (plugin_id id, void *data), void *data);

EXPORT extern int qemu_plugin_version;
EXPORT extern int qemu_plugin_install(plugin_id id, const void *info, int argc,
									  char **argv);

int			qemu_plugin_version = 1;

/* Executed so far */
static uint64_t all;
static uint64_t vector;
static uint64_t memory;

/* Each block of code counts what it has when it runs. */
static void
count_block(plugin_id id, struct qemu_plugin_tb *tb)
{
	size_t		count = qemu_plugin_tb_n_insns(tb);
	uint64_t	vectors = 0;
	uint64_t	memories = 0;
	size_t		i;

	(void) id;
	for (i = 0; i < count; i++)
	{
		uint32_t	code;

		memcpy(&code, qemu_plugin_insn_data(qemu_plugin_tb_get_insn(tb, i)),
			   sizeof(code));
		/* bits 28 to 25: x111 are vectors and floats, x1x0 loads and stores */
		vectors += (code >> 25 & 7) == 7;
		memories += (code >> 25 & 5) == 4;
	}
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &all, count);
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &vector,
											 vectors);
	qemu_plugin_register_vcpu_tb_exec_inline(tb, INLINE_ADD_U64, &memory,
											 memories);
}

static void
print_counts(plugin_id id, void *data)
{
	(void) id;
	(void) data;
	fprintf(stderr, "instructions %llu vector %llu memory %llu\n",
			(unsigned long long) all, (unsigned long long) vector,
			(unsigned long long) memory);
}

int
qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv)
{
	(void) info;
	(void) argc;
	(void) argv;
	qemu_plugin_register_vcpu_tb_trans_cb(id, count_block);
	qemu_plugin_register_atexit_cb(id, print_counts, NULL);
	return 0;
}
