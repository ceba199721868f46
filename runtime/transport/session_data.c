/*
 * session_data.c - data frames of a session, in and out, and what may be asked
 * of it from any thread.
 *
 * A frame that does not open, or is of another session, or was seen before, is
 * counted and dropped: anybody can send those.  Only a frame that opens can end
 * a session, and it does so if one before it is missing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "runtime/transport/session.h"

#include <string.h>

static void
reject(coact__counter *counter)
{
    coact__counter_add(counter, 1);
}

/* The answer is sealed now, for after the end there are no keys. */
static void
prepare_last_words(struct coact__session *s)
{
    uint8_t plain[COACT__DATA_PREFIX + COACT__RECORD_HEADER + 1];
    struct coact__data data = {s->config->self.node, s->live.session_out,
                               s->tx_seq};
    memset(plain, 0, sizeof(plain));
    coact__put_u64(plain, s->intake.granted);
    coact__put_u64(plain + 8, s->rx_seq);
    coact__record_write(plain + COACT__DATA_PREFIX, COACT__RECORD_BYE, 1);
    plain[COACT__DATA_PREFIX + COACT__RECORD_HEADER] = 1;
    coact__data_header_write(&data, s->last_words);
    coact__crypto_seal(s->last_words + COACT__DATA_HEADER, plain, sizeof(plain),
                       s->last_words, COACT__DATA_HEADER, data.seq, s->live.tx);
    s->has_last_words = true;
}

static void
on_bye(struct coact__session *s)
{
    int why = s->wants_bye ? s->bye_why : COACT__DOWN_BYE;
    if (!s->intake.bye_is_answer) {
        prepare_last_words(s);
    }
    // A new socket would throw the answer away.  Nor is one needed: the peer
    // ends the connection, or begins a new session on it.
    coact__session_end(s, why, false);
}

/* The three numbers that every data frame begins with. */
static bool
read_prefix(struct coact__session *s, const uint8_t *plain, int64_t now_ns)
{
    uint64_t granted = coact__get_u64(plain);
    uint64_t heard = coact__get_u64(plain + 8);
    uint64_t progress = coact__get_u64(plain + 16);
    if (granted < s->credit || heard < s->heard || heard > s->tx_seq) {
        return false;
    }
    s->credit = granted;
    if (heard > s->heard) {
        s->heard = heard;
        s->unheard_ns = now_ns;
    }
    if (progress != s->progress) {
        s->progress = progress;
        s->progress_ns = now_ns;
        s->is_stalled = false;
    }
    return true;
}

static void
take_opened(struct coact__session *s, const uint8_t *plain, size_t len,
            int64_t now_ns)
{
    s->rx_seq++;
    s->rx_ns = now_ns;
    coact__counter_add(&s->config->counters->frames_in, 1);
    if (!read_prefix(s, plain, now_ns)) {
        coact__session_fall(s, COACT__DOWN_PROTOCOL);
        return;
    }
    int rc = coact__intake_records(&s->intake, plain + COACT__DATA_PREFIX,
                                   len - COACT__DATA_PREFIX);
    if (rc != 0) {
        coact__session_fall(s, rc == -ENOMEM ? COACT__DOWN_MEMORY
                                             : COACT__DOWN_PROTOCOL);
    } else if (s->intake.has_bye) {
        on_bye(s);
    }
}

static bool
opens(uint8_t *frame, size_t len, uint64_t seq, const uint8_t *key)
{
    return coact__crypto_open(frame + COACT__DATA_HEADER,
                              len - COACT__DATA_HEADER, frame,
                              COACT__DATA_HEADER, seq, key);
}

/* The first data frame under keys that are agreed on and not yet confirmed. */
static bool
confirm(struct coact__session *s, struct coact__pending *pending,
        const struct coact__data *data, uint8_t *frame, size_t len,
        int64_t now_ns)
{
    if (data->seq != 0) {
        reject(&s->config->counters->stale);
        return false;
    }
    if (!opens(frame, len, 0, pending->agreement.rx)) {
        reject(&s->config->counters->auth);
        return false;
    }
    coact__session_begin(s, &pending->agreement, now_ns);
    coact__handshake_drop(pending);
    return true;
}

void
coact__session_data(struct coact__session *s, uint8_t *frame, size_t len,
                    int64_t now_ns)
{
    struct coact__counters *counters = s->config->counters;
    struct coact__data data;
    coact__data_header_read(frame, &data);
    if (s->is_up && data.session == s->live.session_in) {
        if (data.seq < s->rx_seq) {
            reject(&counters->stale);
            return;
        }
        if (!opens(frame, len, data.seq, s->live.rx)) {
            reject(&counters->auth);
            return;
        }
        if (data.seq != s->rx_seq) {
            coact__session_fall(s, COACT__DOWN_GAP);
            return;
        }
    } else {
        struct coact__pending *pending =
            coact__handshake_pending(&s->shake, data.session);
        if (pending == NULL) {
            reject(&counters->session);
            return;
        }
        if (!confirm(s, pending, &data, frame, len, now_ns)) {
            return;
        }
    }
    take_opened(s, frame + COACT__DATA_HEADER,
                len - COACT__DATA_HEADER - COACT__SEAL_BYTES, now_ns);
}

/* Take the next parcel, and see what other threads left for us. */
static void
look_into_outbox(struct coact__session *s)
{
    const struct coact__session_config *cfg = s->config;
    (void)pthread_mutex_lock(&s->lock);
    int fall = s->fall_requested;
    s->fall_requested = COACT__DOWN_NONE;
    coact__intake_release(&s->intake, s->released);
    s->released = 0;
    s->parcel = coact__outbox_take(&s->outbox, s->credit - s->spent);
    struct coact__item *dead = coact__outbox_bury(&s->outbox);
    bool has_room = coact__outbox_has_room_again(&s->outbox);
    if (coact__outbox_is_empty(&s->outbox)) {
        atomic_store_explicit(&s->is_dirty, false, memory_order_relaxed);
    }
    (void)pthread_mutex_unlock(&s->lock);
    coact__item_free_all(dead);
    if (fall != COACT__DOWN_NONE) {
        coact__session_fall(s, fall);
    } else if (has_room && s->is_open && cfg->hooks.writable != NULL) {
        cfg->hooks.writable(cfg->owner, s->peer);
    }
}

static bool
bye_is_due(const struct coact__session *s)
{
    return s->wants_bye && !s->bye_is_out &&
           (s->bye_at_ns == INT64_MIN ||
            !atomic_load_explicit(&s->is_dirty, memory_order_relaxed));
}

size_t
coact__session_ready(struct coact__session *s)
{
    if (s->has_last_words) {
        return sizeof(s->last_words);
    }
    if (s->shake.has_out && s->is_connected) {
        return COACT__HELLO_BYTES;
    }
    if (!s->is_up) {
        return 0;
    }
    bool is_dirty = atomic_load_explicit(&s->is_dirty, memory_order_relaxed);
    if (s->parcel == NULL && is_dirty && !s->bye_is_out) {
        look_into_outbox(s);
        if (!s->is_up) {
            return 0;
        }
    }
    if (s->parcel != NULL) {
        return COACT__DATA_HEADER + s->parcel->used + COACT__SEAL_BYTES;
    }
    if (bye_is_due(s)) {
        return sizeof(s->last_words);
    }
    s->is_bare = s->beat_now || coact__intake_grant_is_due(&s->intake);
    return s->is_bare ? COACT__FRAME_MIN : 0;
}

static void
seal_records(struct coact__session *s, uint8_t *out, uint8_t *plain,
             size_t used, int64_t now_ns)
{
    const struct coact__session_config *cfg = s->config;
    struct coact__data data = {cfg->self.node, s->live.session_out, s->tx_seq};
    s->intake.granted = coact__intake_grant(&s->intake);
    coact__put_u64(plain, s->intake.granted);
    coact__put_u64(plain + 8, s->rx_seq);
    coact__put_u64(plain + 16, cfg->hooks.progress != NULL
                                   ? cfg->hooks.progress(cfg->owner)
                                   : 0);
    coact__data_header_write(&data, out);
    coact__crypto_seal(out + COACT__DATA_HEADER, plain, used, out,
                       COACT__DATA_HEADER, data.seq, s->live.tx);
    if (s->heard == s->tx_seq) {
        s->unheard_ns = now_ns; // the first that waits to be heard
    }
    s->tx_seq++;
    s->tx_ns = now_ns;
    s->beat_now = false;
    coact__counter_add(&cfg->counters->frames_out, 1);
}

static void
seal_parcel(struct coact__session *s, uint8_t *out, int64_t now_ns)
{
    struct coact__parcel *parcel = s->parcel;
    seal_records(s, out, parcel->plain, parcel->used, now_ns);
    s->spent += parcel->used - COACT__DATA_PREFIX;
    s->parcel = NULL;
    (void)pthread_mutex_lock(&s->lock);
    coact__outbox_done(&s->outbox, parcel);
    (void)pthread_mutex_unlock(&s->lock);
}

void
coact__session_seal(struct coact__session *s, uint8_t *out, int64_t now_ns)
{
    uint8_t plain[COACT__DATA_PREFIX + COACT__RECORD_HEADER + 1];
    if (s->has_last_words) {
        memcpy(out, s->last_words, sizeof(s->last_words));
        s->has_last_words = false;
    } else if (s->shake.has_out && s->is_connected) {
        memcpy(out, s->shake.out, COACT__HELLO_BYTES);
        s->shake.has_out = false;
    } else if (s->parcel != NULL) {
        seal_parcel(s, out, now_ns);
    } else if (bye_is_due(s)) {
        coact__record_write(plain + COACT__DATA_PREFIX, COACT__RECORD_BYE, 1);
        plain[COACT__DATA_PREFIX + COACT__RECORD_HEADER] = 0;
        seal_records(s, out, plain, sizeof(plain), now_ns);
        s->bye_is_out = true;
    } else {
        seal_records(s, out, plain, COACT__DATA_PREFIX, now_ns);
    }
}

static size_t
length_of(const struct iovec *parts, int count)
{
    size_t len = 0;
    for (int i = 0; i < count; i++) {
        if (parts[i].iov_len > SIZE_MAX - len) {
            return SIZE_MAX;
        }
        len += parts[i].iov_len;
    }
    return len;
}

/* Under the lock. */
static int
check_open(const struct coact__session *s, uint32_t incarnation, size_t len)
{
    if (!s->is_open || s->open_incarnation != incarnation ||
        s->fall_requested != COACT__DOWN_NONE) {
        return -ENOTCONN;
    }
    return len > s->open_message_max ? -EOVERFLOW : 0;
}

/* Under the lock.  True if nobody has woken the thread for this link yet. */
static bool
make_dirty(struct coact__session *s)
{
    bool was = atomic_load_explicit(&s->is_dirty, memory_order_relaxed);
    atomic_store_explicit(&s->is_dirty, true, memory_order_relaxed);
    return !was;
}

static int
send_short(struct coact__session *s, uint32_t incarnation, uint64_t lane,
           bool is_urgent, const struct iovec *parts, int count, size_t len,
           bool *wakes)
{
    (void)pthread_mutex_lock(&s->lock);
    int rc = check_open(s, incarnation, len);
    if (rc == 0) {
        rc = coact__outbox_put(&s->outbox, lane, is_urgent, parts, count, len);
        if (rc != 0 && is_urgent) {
            s->fall_requested =
                rc == -ENOMEM ? COACT__DOWN_MEMORY : COACT__DOWN_OVERLOAD;
            rc = -ENOTCONN;
            *wakes = true;
        }
        *wakes = make_dirty(s) || *wakes;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return rc;
}

/* Copying megabytes under the lock would hold up everybody else: so ask, copy,
   and ask again. */
static int
send_long(struct coact__session *s, uint32_t incarnation, uint64_t lane,
          const struct iovec *parts, int count, size_t len, bool *wakes)
{
    (void)pthread_mutex_lock(&s->lock);
    int rc = check_open(s, incarnation, len);
    if (rc == 0 && !coact__outbox_has_room(&s->outbox, len)) {
        rc = -EAGAIN;
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (rc != 0) {
        return rc;
    }
    struct coact__item *item = coact__item_new(parts, count, len);
    if (item == NULL) {
        return -ENOMEM;
    }
    (void)pthread_mutex_lock(&s->lock);
    rc = check_open(s, incarnation, len);
    if (rc == 0) {
        rc = coact__outbox_put_long(&s->outbox, lane, item);
    }
    if (rc == 0) {
        *wakes = make_dirty(s);
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (rc != 0) {
        coact__item_free_all(item);
    }
    return rc;
}

int
coact__session_send(struct coact__session *s, uint32_t incarnation,
                    uint64_t lane, unsigned flags, const struct iovec *parts,
                    int count, bool *wakes)
{
    bool is_urgent = (flags & COACT__SEND_URGENT) != 0;
    size_t len = length_of(parts, count);
    *wakes = false;
    if ((flags & ~COACT__SEND_URGENT) != 0 || count < 0) {
        return -EINVAL;
    }
    if (is_urgent && len > COACT__URGENT_BYTES_MAX) {
        return -EOVERFLOW;
    }
    return len <= COACT__WHOLE_MAX
               ? send_short(s, incarnation, lane, is_urgent, parts, count, len,
                            wakes)
               : send_long(s, incarnation, lane, parts, count, len, wakes);
}

bool
coact__session_consumed(struct coact__session *s, uint32_t incarnation,
                        size_t len)
{
    bool wakes = false;
    (void)pthread_mutex_lock(&s->lock);
    if (s->open_incarnation == incarnation) {
        s->released += COACT__RECORD_HEADER + len;
        wakes = make_dirty(s);
    }
    (void)pthread_mutex_unlock(&s->lock);
    return wakes;
}

size_t
coact__session_backlog(struct coact__session *s, uint64_t *messages,
                       uint64_t *bytes)
{
    (void)pthread_mutex_lock(&s->lock);
    size_t backlog = s->outbox.short_bytes + s->outbox.long_bytes;
    if (messages != NULL) {
        *messages = s->outbox.messages;
        *bytes = s->outbox.bytes;
    }
    (void)pthread_mutex_unlock(&s->lock);
    return backlog;
}
