/*
 * session.c - how a link goes up, lives by the clock, and falls.
 *
 * Two clocks run while a session is up.  One is set back by each frame that
 * opens: when it runs out, we do not hear the peer.  The other is set back when
 * the peer says that it has seen more of our frames: when it runs out, the peer
 * does not hear us.  So each side of a connection that is cut one way notices
 * by itself, at about the same time.
 *
 * A connection that stands but leads nowhere looks to nanomsg like a good one.
 * So whoever falls, or is connected and unanswered for a while, asks for a new
 * socket.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/session.h"

#include "runtime/memory.h"

#include <string.h>

/* Hellos without an answer before the socket is made anew. */
#define TRIES_MAX 4u

static bool
take_all(void *context, const uint8_t *bytes, size_t len)
{
    struct coact__session *s = context;
    const struct coact__session_config *cfg = s->config;
    coact__counter_add(&cfg->counters->messages_in, 1);
    coact__counter_add(&cfg->counters->bytes_in, len);
    if (cfg->hooks.message == NULL) {
        return true;
    }
    return cfg->hooks.message(cfg->owner, s->peer, s->open_incarnation, bytes,
                              len);
}

int
coact__session_init(struct coact__session *s,
                    const struct coact__session_config *cfg, uint32_t peer)
{
    memset(s, 0, sizeof(*s));
    int rc = coact__outbox_init(&s->outbox, &cfg->limits);
    if (rc != 0) {
        return rc;
    }
    (void)pthread_mutex_init(&s->lock, NULL); // no attributes: cannot fail
    s->config = cfg;
    s->peer = peer;
    s->next_hello_ns = INT64_MAX;
    s->intake.deliver = take_all;
    s->intake.context = s;
    coact__handshake_init(&s->shake, &cfg->self, peer);
    return 0;
}

void
coact__session_fini(struct coact__session *s)
{
    coact__session_end(s, COACT__DOWN_STOPPED, false);
    coact__handshake_fini(&s->shake);
    coact__outbox_fini(&s->outbox);
    (void)pthread_mutex_destroy(&s->lock);
}

static bool
is_initiator(const struct coact__session *s)
{
    return s->config->self.node < s->peer;
}

static int64_t
silence_ns(const struct coact__session *s)
{
    return COACT__SILENT_BEATS * s->config->heartbeat_ns;
}

static void
publish(struct coact__session *s, const struct coact__agreement *live)
{
    uint64_t ours = s->config->self.message_max;
    (void)pthread_mutex_lock(&s->lock);
    coact__outbox_begin(&s->outbox, live->message_max, live->window);
    s->is_open = true;
    s->open_incarnation = (uint32_t)live->incarnation;
    s->open_message_max = live->message_max < ours ? live->message_max : ours;
    s->released = 0;
    s->fall_requested = COACT__DOWN_NONE;
    (void)pthread_mutex_unlock(&s->lock);
}

void
coact__session_begin(struct coact__session *s,
                     const struct coact__agreement *agreement, int64_t now_ns)
{
    const struct coact__session_config *cfg = s->config;
    if (s->is_up) {
        bool is_same = s->live.incarnation == agreement->incarnation;
        coact__session_end(
            s, is_same ? COACT__DOWN_SUPERSEDED : COACT__DOWN_RESTARTED, false);
    }
    s->live = *agreement;
    s->last_incarnation = agreement->incarnation;
    s->is_up = true;
    s->tx_seq = s->rx_seq = s->spent = s->heard = 0;
    s->credit = agreement->window;
    s->rx_ns = s->tx_ns = s->unheard_ns = s->progress_ns = now_ns;
    s->progress = 0;
    s->is_stalled = false;
    s->beat_now = true; // the peer counts from our first frame
    s->wants_bye = s->bye_is_out = s->has_last_words = false;
    s->wants_renew = false;
    s->tries = 0;
    s->shake.has_out = false;
    coact__intake_begin(&s->intake, cfg->self.window, cfg->self.message_max);
    publish(s, agreement);
    coact__counter_add(&cfg->counters->sessions_begun, 1);
    if (cfg->hooks.up != NULL) {
        cfg->hooks.up(cfg->owner, s->peer, (uint32_t)s->live.incarnation);
    }
}

/* After this nobody's send reaches the session that is ending. */
static void
unpublish(struct coact__session *s)
{
    (void)pthread_mutex_lock(&s->lock);
    s->is_open = false;
    coact__outbox_clear(&s->outbox);
    struct coact__item *dead = coact__outbox_bury(&s->outbox);
    atomic_store_explicit(&s->is_dirty, false, memory_order_relaxed);
    (void)pthread_mutex_unlock(&s->lock);
    coact__item_free_all(dead);
}

void
coact__session_end(struct coact__session *s, int why, bool renew)
{
    const struct coact__session_config *cfg = s->config;
    s->wants_renew = s->wants_renew || renew;
    if (!s->is_up) {
        return;
    }
    if (s->bye_is_out) {
        why = s->bye_why; // whatever ends it now, we had left before
    }
    if (s->parcel != NULL) {
        (void)pthread_mutex_lock(&s->lock);
        coact__outbox_done(&s->outbox, s->parcel);
        (void)pthread_mutex_unlock(&s->lock);
        s->parcel = NULL;
    }
    unpublish(s);
    uint32_t incarnation = (uint32_t)s->live.incarnation;
    s->is_up = false;
    s->is_bare = s->wants_bye = s->bye_is_out = false;
    s->serial++;
    coact__intake_clear(&s->intake);
    coact__crypto_wipe(&s->live, sizeof(s->live));
    coact__counter_add(&cfg->counters->sessions_ended, 1);
    coact__counter_add(&cfg->counters->ended[why], 1);
    if (cfg->hooks.down != NULL) {
        cfg->hooks.down(cfg->owner, s->peer, incarnation, why);
    }
}

void
coact__session_fall(struct coact__session *s, int why)
{
    coact__session_end(s, why, true);
}

void
coact__session_connected(struct coact__session *s, bool is_connected,
                         int64_t now_ns)
{
    if (s->is_connected == is_connected) {
        return;
    }
    s->is_connected = is_connected;
    s->tries = 0;
    s->next_hello_ns = is_connected ? now_ns : INT64_MAX;
    if (!is_connected && !s->is_up) {
        coact__handshake_reset(&s->shake);
    }
}

void
coact__session_broken(struct coact__session *s)
{
    coact__handshake_reset(&s->shake);
    coact__session_end(s, COACT__DOWN_BROKEN, true);
}

static void
say_hello(struct coact__session *s, int64_t now_ns)
{
    if (is_initiator(s)) {
        coact__handshake_begin(&s->shake);
    } else if (!s->shake.has_out) { // an M2 that waits says more than a KNOCK
        coact__handshake_knock(&s->shake);
    }
    s->hello_ns = now_ns;
    s->next_hello_ns = now_ns + 2 * s->config->heartbeat_ns;
}

static void
tick_down(struct coact__session *s, int64_t now_ns)
{
    if (!s->is_connected || now_ns < s->next_hello_ns) {
        return;
    }
    if (s->tries++ >= TRIES_MAX) {
        s->tries = 0;
        s->wants_renew = true;
    }
    say_hello(s, now_ns);
}

static void
watch_progress(struct coact__session *s, int64_t now_ns)
{
    const struct coact__session_config *cfg = s->config;
    if (cfg->stall_ns == 0 || s->is_stalled ||
        now_ns - s->progress_ns < cfg->stall_ns) {
        return;
    }
    s->is_stalled = true;
    if (cfg->hooks.stalled != NULL) {
        cfg->hooks.stalled(cfg->owner, s->peer);
    }
}

static void
tick_up(struct coact__session *s, int64_t now_ns)
{
    if (now_ns - s->rx_ns >= silence_ns(s)) {
        coact__session_fall(s, COACT__DOWN_SILENT);
        return;
    }
    if (s->heard < s->tx_seq && now_ns - s->unheard_ns >= silence_ns(s)) {
        coact__session_fall(s, COACT__DOWN_UNHEARD);
        return;
    }
    if (now_ns - s->tx_ns >= s->config->heartbeat_ns) {
        s->beat_now = true;
    }
    watch_progress(s, now_ns);
}

void
coact__session_tick(struct coact__session *s, int64_t now_ns)
{
    if (s->is_up) {
        tick_up(s, now_ns);
    }
    if (!s->is_up) {
        tick_down(s, now_ns);
    }
    if (s->wants_bye && now_ns >= s->bye_at_ns) {
        s->bye_at_ns = INT64_MIN;
    }
}

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t
coact__session_next_ns(const struct coact__session *s)
{
    if (!s->is_up) {
        return s->is_connected ? s->next_hello_ns : INT64_MAX;
    }
    int64_t next = s->rx_ns + silence_ns(s);
    if (s->heard < s->tx_seq) {
        next = earlier(next, s->unheard_ns + silence_ns(s));
    }
    if (!s->beat_now) { // else the frame waits for the wire, not for the time
        next = earlier(next, s->tx_ns + s->config->heartbeat_ns);
    }
    if (s->config->stall_ns != 0 && !s->is_stalled) {
        next = earlier(next, s->progress_ns + s->config->stall_ns);
    }
    if (s->wants_bye && !s->bye_is_out && s->bye_at_ns != INT64_MIN) {
        next = earlier(next, s->bye_at_ns);
    }
    return next;
}

void
coact__session_leave(struct coact__session *s, int why, int64_t bye_at_ns)
{
    if (!s->is_up || s->wants_bye) {
        return;
    }
    (void)pthread_mutex_lock(&s->lock);
    s->is_open = false; // what is queued still goes
    (void)pthread_mutex_unlock(&s->lock);
    s->wants_bye = true;
    s->bye_is_out = false;
    s->bye_why = why;
    s->bye_at_ns = bye_at_ns;
}

static void
reject(coact__counter *counter)
{
    coact__counter_add(counter, 1);
}

static bool
is_quiet(const struct coact__session *s, int64_t now_ns)
{
    return !s->is_up || now_ns - s->rx_ns >= 2 * s->config->heartbeat_ns;
}

/* Higher id asks us to begin.  An old KNOCK costs us one M1. */
static void
on_knock(struct coact__session *s, int64_t now_ns)
{
    if (!is_initiator(s) || !is_quiet(s, now_ns)) {
        reject(&s->config->counters->stale);
        return;
    }
    // Soon, but not more often than that, however many knock.
    int64_t soon = s->hello_ns + s->config->heartbeat_ns / 2;
    if (s->is_connected && now_ns >= soon) {
        say_hello(s, now_ns);
    } else if (s->is_connected && soon < s->next_hello_ns) {
        s->next_hello_ns = soon;
    }
}

static void
on_m1(struct coact__session *s, const uint8_t *frame,
      const struct coact__hello *hello, int64_t now_ns)
{
    struct coact__counters *counters = s->config->counters;
    if (is_initiator(s)) {
        reject(&counters->stale);
        return;
    }
    int rc = coact__handshake_answer(&s->shake, frame, hello, now_ns);
    if (rc == -EAGAIN) {
        reject(&counters->rate);
    } else if (rc != 0) {
        reject(&counters->malformed);
    }
}

static void
on_m2(struct coact__session *s, const uint8_t *frame,
      const struct coact__hello *hello, int64_t now_ns)
{
    struct coact__counters *counters = s->config->counters;
    struct coact__agreement agreement;
    if (!is_initiator(s) || !is_quiet(s, now_ns)) {
        reject(&counters->stale);
        return;
    }
    int rc = coact__handshake_finish(&s->shake, frame, hello, &agreement);
    if (rc == 0) {
        coact__session_begin(s, &agreement, now_ns);
        coact__crypto_wipe(&agreement, sizeof(agreement));
    } else {
        reject(rc == -ESRCH ? &counters->stale : &counters->malformed);
    }
}

/* Half of an incarnation is in every address: two lives that share it could
   not be told apart, so the later one is not let in. */
static bool
clashes(const struct coact__session *s, uint64_t incarnation)
{
    return (uint32_t)incarnation == 0 ||
           (incarnation != s->last_incarnation &&
            (uint32_t)incarnation == (uint32_t)s->last_incarnation);
}

void
coact__session_hello(struct coact__session *s,
                     const uint8_t frame[COACT__HELLO_BYTES], int64_t now_ns)
{
    struct coact__counters *counters = s->config->counters;
    struct coact__hello hello;
    if (!coact__hello_read(s->config->self.keys, frame, &hello)) {
        reject(&counters->mac);
    } else if (hello.to != s->config->self.node) {
        reject(&counters->stranger);
    } else if (hello.window < COACT__WINDOW_MIN) {
        reject(&counters->malformed);
    } else if (clashes(s, hello.incarnation)) {
        reject(&counters->clash);
    } else if (hello.type == COACT__FRAME_KNOCK) {
        on_knock(s, now_ns);
    } else if (hello.type == COACT__FRAME_M1) {
        on_m1(s, frame, &hello, now_ns);
    } else {
        on_m2(s, frame, &hello, now_ns);
    }
}
