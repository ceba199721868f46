/* expects: shop_ref|union */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int find(bank_ref *bank, shop_ref *shop);

int
find(bank_ref *bank, shop_ref *shop)
{
    (void)bank, (void)shop;
#if WRONG
    return coact_whereis(bank, "bank", shop);
#else
    return coact_whereis(bank, "bank", bank);
#endif
}
