/*-------------------------------------------------------------------------
 *
 * dependants.c
 *	  What in a database names a model: columns, indexes, views and their kin.
 *
 * A generated column depends on the function it calls, not on the model, which
 * is a text among the arguments.  So whoever drops or renames a model is told
 * which of the objects that depend on the extension's functions have that text
 * in an expression.
 *
 * It is looked for in the expressions as they are stored, not as pg_get_expr
 * would write them: that takes locks on the tables, and a drop of a model would
 * wait for whoever alters one.  A text constant is stored as ":constvalue 8
 * [ 32 0 0 0 109 97 105 110 ]", its length and each of its bytes, so that a
 * model's name is found whatever characters it has, and only as a whole.
 *
 * What no dependency is kept of is not found: bodies of functions that are
 * strings, statements that clients send, calls with the default model.
 *
 * Depends on server/pg.h, models/registry_write.h.
 *
 *-------------------------------------------------------------------------
 */
#include "server/pg.h"
#include "models/registry_write.h"
#include "import/dependants.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"

#define SHOWN 5

/*
 * Objects with such an expression ($1), described.  Generated columns of
 * PostgreSQL 14 and older depend by themselves, later ones by their default.
 */
static const char *const find_dependants =
"WITH dependant AS ("
"  SELECT DISTINCT d.classid, d.objid, d.objsubid FROM pg_depend d "
"  WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid IN ("
"    SELECT f.objid FROM pg_depend f "
"    WHERE f.classid = 'pg_proc'::regclass AND f.deptype = 'e' "
"      AND f.refclassid = 'pg_extension'::regclass AND f.refobjid = "
"        (SELECT e.oid FROM pg_extension e WHERE e.extname = 'mobilebert'))), "
"expression AS ("
"  SELECT d.classid, d.objid, d.objsubid, 'pg_class'::regclass AS class, "
"    a.adrelid AS object, a.adnum::int AS sub, a.adbin::text AS tree "
"  FROM dependant d JOIN pg_attrdef a "
"    ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid "
"    OR d.classid = 'pg_class'::regclass AND d.objsubid <> 0 "
"      AND a.adrelid = d.objid AND a.adnum = d.objsubid "
"  UNION ALL SELECT d.*, d.classid, d.objid, 0, "
"    concat(i.indexprs, i.indpred) "
"  FROM dependant d JOIN pg_index i "
"    ON d.classid = 'pg_class'::regclass AND i.indexrelid = d.objid "
"  UNION ALL SELECT d.*, d.classid, d.objid, 0, p.partexprs::text "
"  FROM dependant d JOIN pg_partitioned_table p "
"    ON d.classid = 'pg_class'::regclass AND p.partrelid = d.objid "
"  UNION ALL SELECT d.*, "
"    CASE r.rulename WHEN '_RETURN' THEN 'pg_class'::regclass ELSE d.classid END, "
"    CASE r.rulename WHEN '_RETURN' THEN r.ev_class ELSE d.objid END, "
"    0, concat(r.ev_qual, r.ev_action) "
"  FROM dependant d JOIN pg_rewrite r "
"    ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid "
"  UNION ALL SELECT d.*, "
"    CASE c.contypid WHEN 0 THEN d.classid ELSE 'pg_type'::regclass END, "
"    CASE c.contypid WHEN 0 THEN d.objid ELSE c.contypid END, "
"    0, c.conbin::text "
"  FROM dependant d JOIN pg_constraint c "
"    ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid "
"  UNION ALL SELECT d.*, d.classid, d.objid, 0, "
"    concat(p.polqual, p.polwithcheck) "
"  FROM dependant d JOIN pg_policy p "
"    ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid "
"  UNION ALL SELECT d.*, d.classid, d.objid, 0, t.tgqual::text "
"  FROM dependant d JOIN pg_trigger t "
"    ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid "
"  UNION ALL SELECT d.*, d.classid, d.objid, 0, "
"    concat(f.prosqlbody, f.proargdefaults) "
"  FROM dependant d JOIN pg_proc f "
"    ON d.classid = 'pg_proc'::regclass AND f.oid = d.objid "
"  UNION ALL SELECT d.*, d.classid, d.objid, 0, t.typdefaultbin::text "
"  FROM dependant d JOIN pg_type t "
"    ON d.classid = 'pg_type'::regclass AND t.oid = d.objid "
"  UNION ALL SELECT d.*, d.classid, d.objid, 0, s.stxexprs::text "
"  FROM dependant d JOIN pg_statistic_ext s "
"    ON d.classid = 'pg_statistic_ext'::regclass AND s.oid = d.objid) "
"SELECT DISTINCT pg_describe_object(class, object, sub) COLLATE \"C\" "
"FROM expression WHERE strpos(tree, $1) > 0 ORDER BY 1";

/* A text constant as _outDatum of the server writes it into an expression. */
static char *
stored_constant(const char *value)
{
	text	   *datum = cstring_to_text(value);
	const char *bytes = (const char *) datum;
	StringInfoData stored;
	size_t		i;

	initStringInfo(&stored);
	appendStringInfo(&stored, ":constvalue %u [ ", (unsigned) VARSIZE(datum));
	for (i = 0; i < VARSIZE(datum); i++)
		appendStringInfo(&stored, "%d ", (int) bytes[i]);
	appendStringInfoChar(&stored, ']');
	return stored.data;
}

void
dependants_warn(const char *name)
{
	Oid			types[] = {TEXTOID};
	Datum		values[] = {CStringGetTextDatum(stored_constant(name))};
	uint64		count = registry_execute(find_dependants, 1, types, values, NULL);
	StringInfoData list;
	uint64		i;

	if (count == 0)
		return;
	initStringInfo(&list);
	for (i = 0; i < Min(count, SHOWN); i++)
		appendStringInfo(&list, "%s%s", i > 0 ? ", " : "",
						 SPI_getvalue(SPI_tuptable->vals[i],
									  SPI_tuptable->tupdesc, 1));
	if (count > SHOWN)
		appendStringInfo(&list, ", and " UINT64_FORMAT " more",
						 count - SHOWN);
	ereport(WARNING,
			(errmsg("objects of this database name model \"%s\"", name),
			 errdetail("They are: %s.", list.data),
			 errhint("They fail until a model of that name is registered again.")));
}
