/* expects: duplicate member */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

#if WRONG
COACT_MAILBOX(till, deposit, price, deposit);
#else
COACT_MAILBOX(till, deposit, price);
#endif
