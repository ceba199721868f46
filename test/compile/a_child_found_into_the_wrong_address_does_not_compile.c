/* expects: shop_ref|union */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

#include <coact/supervisor.h>

int found(coact_supervisor_ref top, bank_ref *bank, shop_ref *shop);

int
found(coact_supervisor_ref top, bank_ref *bank, shop_ref *shop)
{
    (void)bank, (void)shop;
#if WRONG
    return coact_child_find(top, bank, "bank", shop, COACT_NOW);
#else
    return coact_child_find(top, bank, "bank", bank, COACT_NOW);
#endif
}
