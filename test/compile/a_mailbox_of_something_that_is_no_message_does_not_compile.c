/* expects: coact_type_refund */
/* SPDX-License-Identifier: MIT */
#include "test/compile/bank.h"

struct refund {
    int64_t cents;
};

#if WRONG
COACT_MAILBOX(till, deposit, refund);
#else
COACT_MAILBOX(till, deposit);
#endif
