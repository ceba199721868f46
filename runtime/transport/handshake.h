/*
 * handshake.h - how two nodes agree on fresh keys.
 *
 *   KNOCK  higher -> lower   please begin
 *   M1     lower -> higher   my half of the key, my session number
 *   M2     higher -> lower   mine, and the hash of your M1
 *   DATA 0 lower -> higher   sealed: proof that I have the keys
 *
 * The lower node id begins.  Each side's keys depend on both halves and both
 * frames.  A replayed M1 passes its MAC, but leads only to an M2 that nobody
 * accepts and to one of a few pending slots; nothing live is touched until a
 * frame opens under fresh keys.  A replayed M2 answers no M1 of ours.
 *
 * Computing an answer costs some 100 us, so answers are rationed, per peer and
 * for all; the same M1 again gets the same M2 again, for free.
 *
 * This file knows frames and keys; when to begin is the session's business.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef COACT_RUNTIME_TRANSPORT_HANDSHAKE_H
#define COACT_RUNTIME_TRANSPORT_HANDSHAKE_H

#include "runtime/transport/frame.h"

#define COACT__PENDING_SLOTS 4

/* So many at once, then one each interval. */
struct coact__ration {
    int64_t interval_ns;
    int64_t burst_ns; /* interval times how many at once */
    int64_t owed_ns;  /* when all that was taken is paid for */
};

bool coact__ration_has(const struct coact__ration *ration, int64_t now_ns);
void coact__ration_take(struct coact__ration *ration, int64_t now_ns);

/* What a handshake leaves behind: all that a session is made of. */
struct coact__agreement {
    uint64_t session_in, session_out;
    uint64_t incarnation; /* the peer's */
    uint64_t message_max;
    uint32_t window;
    uint8_t tx[COACT__KEY_BYTES], rx[COACT__KEY_BYTES];
};

/* Who we are; the same for all links of a node. */
struct coact__identity {
    const struct coact__keys *keys;
    uint32_t node;
    uint64_t incarnation;
    uint32_t window;
    uint64_t message_max;
    struct coact__ration *ration; /* for all links together */
};

struct coact__pending {
    bool is_used;
    int64_t since_ns;
    uint8_t hash1[COACT__HASH_BYTES];
    uint8_t m2[COACT__HELLO_BYTES];
    struct coact__agreement agreement;
};

struct coact__handshake {
    const struct coact__identity *self;
    uint32_t peer;
    bool is_begun; /* an M1 of ours is out */
    unsigned repeats;
    struct coact__keypair pair;
    uint64_t session_in;
    uint8_t m1[COACT__HELLO_BYTES];
    uint8_t hash1[COACT__HASH_BYTES];
    struct coact__pending pending[COACT__PENDING_SLOTS];
    struct coact__ration ration;
    bool has_out; /* a frame is to be sent */
    uint8_t out[COACT__HELLO_BYTES];
};

void coact__handshake_init(struct coact__handshake *shake,
                           const struct coact__identity *self, uint32_t peer);

/* Wipe what is secret. */
void coact__handshake_fini(struct coact__handshake *shake);

/* Lower id: put an M1 out; the last one again, if it may still be answered. */
void coact__handshake_begin(struct coact__handshake *shake);

/* Higher id: put a KNOCK out. */
void coact__handshake_knock(struct coact__handshake *shake);

/* Forget our M1: an answer would come too late. */
void coact__handshake_reset(struct coact__handshake *shake);

/* Higher id: an M1 came, its MAC is good.  0: an M2 is out.  -EAGAIN (rationed),
   -EPROTO (its half of the key is no key) */
COACT_CHECKED int
coact__handshake_answer(struct coact__handshake *shake,
                        const uint8_t frame[COACT__HELLO_BYTES],
                        const struct coact__hello *hello, int64_t now_ns);

/* Lower id: an M2 came, its MAC is good.  0: *out is ours to use.  -ESRCH (it
   does not answer our M1), -EPROTO */
COACT_CHECKED int coact__handshake_finish(
    struct coact__handshake *shake, const uint8_t frame[COACT__HELLO_BYTES],
    const struct coact__hello *hello, struct coact__agreement *out);

/* Higher id: the agreement that a data frame of this session would confirm;
   NULL if there is none. */
struct coact__pending *coact__handshake_pending(struct coact__handshake *shake,
                                                uint64_t session);

/* It was confirmed, or is of no use: forget it. */
void coact__handshake_drop(struct coact__pending *pending);

#endif
