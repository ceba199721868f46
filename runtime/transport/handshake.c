/*
 * handshake.c - M1, M2 and the slots for answers that are not yet confirmed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/handshake.h"

#include "runtime/oracle.h"

#include <string.h>

/* How often one M1 is sent before it is made anew. */
#define REPEATS_MAX 4u

/* One peer may have 8 answers at once, and then 10 a second. */
#define PEER_INTERVAL_NS INT64_C(100000000)
#define PEER_BURST 8

bool
coact__ration_has(const struct coact__ration *ration, int64_t now_ns)
{
    return ration->owed_ns - now_ns <= ration->burst_ns - ration->interval_ns;
}

void
coact__ration_take(struct coact__ration *ration, int64_t now_ns)
{
    int64_t from = ration->owed_ns > now_ns ? ration->owed_ns : now_ns;
    ration->owed_ns = from + ration->interval_ns;
}

void
coact__handshake_init(struct coact__handshake *shake,
                      const struct coact__identity *self, uint32_t peer)
{
    memset(shake, 0, sizeof(*shake));
    shake->self = self;
    shake->peer = peer;
    shake->ration.interval_ns = PEER_INTERVAL_NS;
    shake->ration.burst_ns = PEER_BURST * PEER_INTERVAL_NS;
}

void
coact__handshake_fini(struct coact__handshake *shake)
{
    coact__crypto_wipe(shake, sizeof(*shake));
}

/* A session number that is not 0, which stands for none. */
static uint64_t
draw_session(void)
{
    uint64_t session;
    do {
        coact__oracle_random(&session, sizeof(session));
    } while (session == 0);
    return session;
}

static struct coact__hello
hello_of(const struct coact__handshake *shake, enum coact__frame_type type)
{
    struct coact__hello hello;
    memset(&hello, 0, sizeof(hello));
    hello.type = (uint8_t)type;
    hello.from = shake->self->node;
    hello.to = shake->peer;
    hello.window = shake->self->window;
    hello.incarnation = shake->self->incarnation;
    hello.message_max = shake->self->message_max;
    return hello;
}

static void
put_out(struct coact__handshake *shake, const uint8_t frame[COACT__HELLO_BYTES])
{
    memcpy(shake->out, frame, COACT__HELLO_BYTES);
    shake->has_out = true;
}

void
coact__handshake_reset(struct coact__handshake *shake)
{
    coact__crypto_wipe(&shake->pair, sizeof(shake->pair));
    shake->is_begun = false;
    shake->has_out = false;
}

void
coact__handshake_begin(struct coact__handshake *shake)
{
    if (shake->is_begun && shake->repeats < REPEATS_MAX) {
        shake->repeats++;
        put_out(shake, shake->m1);
        return;
    }
    struct coact__hello hello = hello_of(shake, COACT__FRAME_M1);
    coact__crypto_keypair(&shake->pair);
    shake->session_in = draw_session();
    hello.session = shake->session_in;
    memcpy(hello.open_key, shake->pair.open, COACT__KEY_BYTES);
    coact__hello_write(shake->self->keys, &hello, shake->m1);
    coact__crypto_hash(shake->m1, COACT__HELLO_BYTES, shake->hash1);
    shake->is_begun = true;
    shake->repeats = 0;
    put_out(shake, shake->m1);
}

void
coact__handshake_knock(struct coact__handshake *shake)
{
    uint8_t frame[COACT__HELLO_BYTES];
    struct coact__hello hello = hello_of(shake, COACT__FRAME_KNOCK);
    hello.session = draw_session(); // so that no two are alike
    coact__hello_write(shake->self->keys, &hello, frame);
    put_out(shake, frame);
}

static struct coact__pending *
find_same(struct coact__handshake *shake, const uint8_t *hash1)
{
    for (int i = 0; i < COACT__PENDING_SLOTS; i++) {
        struct coact__pending *slot = &shake->pending[i];
        if (slot->is_used && coact__crypto_equal(slot->hash1, hash1)) {
            return slot;
        }
    }
    return NULL;
}

/* A free slot, or else the oldest. */
static struct coact__pending *
choose_slot(struct coact__handshake *shake)
{
    struct coact__pending *best = &shake->pending[0];
    for (int i = 0; i < COACT__PENDING_SLOTS; i++) {
        struct coact__pending *slot = &shake->pending[i];
        if (!slot->is_used) {
            return slot;
        }
        if (slot->since_ns < best->since_ns) {
            best = slot;
        }
    }
    return best;
}

static void
agree_on_limits(struct coact__agreement *to, const struct coact__hello *hello)
{
    to->session_out = hello->session;
    to->incarnation = hello->incarnation;
    to->message_max = hello->message_max;
    to->window = hello->window;
}

/* Fill a slot with our answer to an M1 that we have not seen. */
static int
compute_answer(struct coact__handshake *shake, struct coact__pending *slot,
               const struct coact__hello *m1)
{
    struct coact__keypair pair;
    struct coact__hello hello = hello_of(shake, COACT__FRAME_M2);
    struct coact__agreement *agreement = &slot->agreement;
    uint8_t hash2[COACT__HASH_BYTES];
    coact__crypto_keypair(&pair);
    agree_on_limits(agreement, m1);
    agreement->session_in = draw_session();
    hello.session = agreement->session_in;
    memcpy(hello.open_key, pair.open, COACT__KEY_BYTES);
    memcpy(hello.answers, slot->hash1, COACT__HASH_BYTES);
    coact__hello_write(shake->self->keys, &hello, slot->m2);
    coact__crypto_hash(slot->m2, COACT__HELLO_BYTES, hash2);
    int rc =
        coact__crypto_session(shake->self->keys, false, &pair, m1->open_key,
                              slot->hash1, hash2, agreement->tx, agreement->rx);
    coact__crypto_wipe(&pair, sizeof(pair));
    return rc;
}

int
coact__handshake_answer(struct coact__handshake *shake,
                        const uint8_t frame[COACT__HELLO_BYTES],
                        const struct coact__hello *hello, int64_t now_ns)
{
    uint8_t hash1[COACT__HASH_BYTES];
    coact__crypto_hash(frame, COACT__HELLO_BYTES, hash1);
    struct coact__pending *slot = find_same(shake, hash1);
    if (slot == NULL) {
        struct coact__ration *all = shake->self->ration;
        if (!coact__ration_has(&shake->ration, now_ns) ||
            !coact__ration_has(all, now_ns)) {
            return -EAGAIN;
        }
        coact__ration_take(&shake->ration, now_ns);
        coact__ration_take(all, now_ns);
        slot = choose_slot(shake);
        memcpy(slot->hash1, hash1, sizeof(hash1));
        slot->since_ns = now_ns;
        slot->is_used = true;
        int rc = compute_answer(shake, slot, hello);
        if (rc != 0) {
            coact__handshake_drop(slot);
            return rc;
        }
    }
    put_out(shake, slot->m2);
    return 0;
}

int
coact__handshake_finish(struct coact__handshake *shake,
                        const uint8_t frame[COACT__HELLO_BYTES],
                        const struct coact__hello *hello,
                        struct coact__agreement *out)
{
    uint8_t hash2[COACT__HASH_BYTES];
    if (!shake->is_begun ||
        !coact__crypto_equal(hello->answers, shake->hash1)) {
        return -ESRCH;
    }
    coact__crypto_hash(frame, COACT__HELLO_BYTES, hash2);
    agree_on_limits(out, hello);
    out->session_in = shake->session_in;
    int rc = coact__crypto_session(shake->self->keys, true, &shake->pair,
                                   hello->open_key, shake->hash1, hash2,
                                   out->tx, out->rx);
    coact__handshake_reset(shake);
    return rc;
}

struct coact__pending *
coact__handshake_pending(struct coact__handshake *shake, uint64_t session)
{
    for (int i = 0; i < COACT__PENDING_SLOTS; i++) {
        struct coact__pending *slot = &shake->pending[i];
        if (slot->is_used && slot->agreement.session_in == session) {
            return slot;
        }
    }
    return NULL;
}

void
coact__handshake_drop(struct coact__pending *pending)
{
    coact__crypto_wipe(pending, sizeof(*pending));
}
