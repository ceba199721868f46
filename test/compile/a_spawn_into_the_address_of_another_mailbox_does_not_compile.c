/* expects: shop_ref|union */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int found(bank_ref *bank, shop_ref *shop);

static void
bank_body(bank_self self, void *arg)
{
    (void)self, (void)arg;
}

int
found(bank_ref *bank, shop_ref *shop)
{
    (void)bank, (void)shop;
#if WRONG
    return coact_spawn(bank, shop, bank_body, NULL);
#else
    return coact_spawn(bank, bank, bank_body, NULL);
#endif
}
