/* expects: compatible|_Generic */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

#include <coact/supervisor.h>

extern const struct coact_child teller[];

static void
bank_handle(bank_turn self, void *state)
{
    (void)self, (void)state;
}

const struct coact_child teller[] = {
#if WRONG
    COACT_CHILD_SERVER(shop, "teller", bank_handle, NULL),
#else
    COACT_CHILD_SERVER(bank, "teller", bank_handle, NULL),
#endif
};
