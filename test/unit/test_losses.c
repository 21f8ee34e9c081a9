/*-------------------------------------------------------------------------
 *
 * test_losses.c
 *	  Losses against their definitions.
 *
 *-------------------------------------------------------------------------
 */
#include "tap.h"
#include "tasks/losses.h"

#include <math.h>

static bool
near(double a, double b)
{
	return fabs(a - b) <= 1e-12 * (fabs(b) > 1 ? fabs(b) : 1);
}

static void
test_class(void)
{
	static const float logits[] = {1, 2, 4};
	mb_loss		loss = {0};
	double		whole = log(exp(1) + exp(2) + exp(4));

	mb_loss_class(&loss, logits, 3, 0);
	ok(loss.terms == 1 && near(mb_loss_mean(&loss), whole - 1),
	   "cross entropy of one label");
	mb_loss_class(&loss, logits, 3, 2);
	ok(loss.terms == 2 && near(mb_loss_mean(&loss), whole - 2.5),
	   "mean of two");
	mb_loss_class(&loss, logits, 3, MB_NO_LABEL);
	ok(loss.terms == 2, "what has no label does not count");
	ok(mb_is_label(0, 3) && mb_is_label(2, 3) && mb_is_label(-100, 3) &&
	   !mb_is_label(3, 3) && !mb_is_label(-1, 3) && !mb_is_label(0, 0),
	   "what is a label");
}

static void
test_nothing(void)
{
	static const float logits[] = {1, NAN};
	mb_loss		loss = {0};

	ok(isnan(mb_loss_mean(&loss)), "the mean of nothing is NaN");
	mb_loss_class(&loss, logits, 2, MB_NO_LABEL);
	ok(isnan(mb_loss_mean(&loss)), "only labels that do not count: NaN");
	mb_loss_class(&loss, logits, 2, 0);
	ok(loss.terms == 1 && isnan(mb_loss_mean(&loss)), "a NaN logit spreads");
}

static void
test_position(void)
{
	static const float logits[] = {0, 3, 0, 0};
	double		whole = log(3 + exp(3));
	mb_loss		loss = {0};

	mb_loss_position(&loss, logits, 4, 1);
	ok(loss.terms == 1 && near(loss.sum, whole - 3), "a position");
	mb_loss_position(&loss, logits, 4, 4);
	mb_loss_position(&loss, logits, 4, 9999);
	mb_loss_position(&loss, logits, 4, INT64_MAX);
	ok(loss.terms == 1, "positions after the row do not count");
	mb_loss_position(&loss, logits, 4, -7);
	ok(loss.terms == 2 && near(loss.sum, 2 * whole - 3),
	   "one before the row is 0");
}

static void
test_squares(void)
{
	static const float outputs[] = {1, -2, 3e20f};
	static const float targets[] = {0.5, 1, -3e20f};
	mb_loss		loss = {0};

	mb_loss_squares(&loss, outputs, targets, 2);
	ok(loss.terms == 2 && near(mb_loss_mean(&loss), (0.25 + 9) / 2),
	   "mean squared error");
	mb_loss_squares(&loss, outputs + 2, targets + 2, 1);
	ok(isfinite(mb_loss_mean(&loss)), "large numbers do not overflow");
}

static void
test_binary(void)
{
	static const float logits[] = {0, 2, -3, 800, -800};
	static const float targets[] = {1, 0, 0.25, 1, 0};
	static const float wrong[] = {0, 1};
	mb_loss		loss = {0};

	mb_loss_binary(&loss, logits, targets, 1);
	ok(near(loss.sum, log(2)), "an undecided logit");
	mb_loss_binary(&loss, logits + 1, targets + 1, 4);
	ok(loss.terms == 5 &&
	   near(loss.sum, log(2) + log(1 + exp(2)) + 0.75 + log(1 + exp(-3))),
	   "known values, and no overflow of the exponential");
	loss.sum = 0;
	mb_loss_binary(&loss, logits + 3, wrong, 2);
	ok(near(loss.sum, 1600), "logits that are surely wrong");
}

int
main(void)
{
	test_class();
	test_nothing();
	test_position();
	test_squares();
	test_binary();
	return done_testing();
}
