/* expects: struct (balance|deposit) */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

int pass_on(bank_ref bank, struct balance *m);

int
pass_on(bank_ref bank, struct balance *m)
{
#if WRONG
    return coact_forward(m, bank, deposit);
#else
    return coact_forward(m, bank, balance);
#endif
}
