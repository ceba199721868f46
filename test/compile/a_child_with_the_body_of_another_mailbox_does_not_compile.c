/* expects: compatible|_Generic */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

#include <coact/supervisor.h>

extern const struct coact_child teller[];

static void
bank_body(bank_self self, void *arg)
{
    (void)self, (void)arg;
}

const struct coact_child teller[] = {
#if WRONG
    COACT_CHILD(shop, "teller", bank_body, NULL),
#else
    COACT_CHILD(bank, "teller", bank_body, NULL),
#endif
};
