/*
 * snapshot_support.c - threads to look at.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test/runtime/snapshot_support.h"

#include "runtime/altstack.h"
#include "runtime/oracle.h"
#include "runtime/threadstate.h"

#include <check.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static atomic_bool is_over;

/* Relaxed: they only say when to go on. */
bool
over(void)
{
    return atomic_load_explicit(&is_over, memory_order_relaxed);
}

void
end(pthread_t thread)
{
    atomic_store_explicit(&is_over, true, memory_order_relaxed);
    pthread_join(thread, NULL);
}

void
say_tid(struct subject *subject)
{
    atomic_store_explicit(&subject->tid, gettid(), memory_order_release);
}

pid_t
start(struct subject *subject, void *(*body)(void *))
{
    ck_assert_int_eq(pthread_create(&subject->thread, NULL, body, subject), 0);
    pid_t tid;
    while ((tid = atomic_load_explicit(&subject->tid, memory_order_acquire)) ==
           0) {
        sched_yield();
    }
    return tid;
}

void
spin_until_over(struct subject *subject)
{
    say_tid(subject);
    while (!over()) {
        // Under a sanitizer, what over() does is done elsewhere.
        for (int i = 0; i < 1000; i++) {
            STAY;
        }
    }
}

__attribute__((noinline)) static void
function_that_is_static(struct subject *subject)
{
    spin_until_over(subject);
    STAY;
}

void
coroutine_that_spins(void *arg, void *pass)
{
    (void)pass;
    struct subject *subject = arg;
    function_that_is_static(subject);
    coact__context_switch_final(&subject->guest, &subject->home, NULL);
}

void *
run_coroutine(void *arg)
{
    struct subject *subject = arg;
    struct coact__altstack altstack;
    coact__altstack_open(&altstack);
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(stack, MAP_FAILED);
    // What a walk that does not end at the first frame would run into.
    for (size_t i = 0; i < STACK / sizeof(void *); i++) {
        ((void **)(void *)stack)[i] = (void *)(uintptr_t)&printf;
    }
    coact__context_init_thread(&subject->home);
    coact__context_make(&subject->guest, stack, STACK / 2, coroutine_that_spins,
                        subject);
    coact__context_switch(&subject->home, &subject->guest, NULL);
    coact__context_fini(&subject->guest);
    coact__context_fini(&subject->home);
    munmap(stack, STACK);
    coact__altstack_close(&altstack);
    return NULL;
}

void *
run_spin(void *arg)
{
    spin_until_over(arg);
    return NULL;
}

void
read_for_ever(struct subject *subject)
{
    char bytes[4];
    say_tid(subject);
    // No EINTR is seen: the call is restarted.
    ck_assert_int_eq(read(subject->pipe[0], bytes, sizeof(bytes)), 2);
    STAY;
}

void *
run_read(void *arg)
{
    read_for_ever(arg);
    return NULL;
}

static void
add_line(void *arg, const char *line)
{
    struct text *text = arg;
    int more = snprintf(text->lines + text->bytes,
                        sizeof(text->lines) - text->bytes, "%s\n", line);
    ck_assert_int_gt(more, 0);
    text->bytes += (size_t)more;
    ck_assert_uint_lt(text->bytes, sizeof(text->lines));
}

struct text
print(void *const *frames, int count)
{
    struct text text = {.bytes = 0};
    coact__snapshot_print(frames, count, add_line, &text);
    return text;
}

void
must_install(void)
{
    ck_assert_int_eq(coact__snapshot_install(SIGNAL), 0);
}

int
take(pid_t tid, void **frames)
{
    int count = coact__snapshot_take(tid, frames, FRAMES, PATIENCE_NS);
    ck_assert_msg(count > 0, "take: %d", count);
    return count;
}

void
must_name(const struct text *text, const char *function)
{
    char wanted[128];
    snprintf(wanted, sizeof(wanted), " %s+0x", function);
    ck_assert_msg(strstr(text->lines, wanted) != NULL, "no %s in\n%s", function,
                  text->lines);
}

bool
has_frame_in(void *const *frames, int count, uintptr_t function)
{
    for (int i = 0; i < count; i++) {
        if ((uintptr_t)frames[i] - function < 256) {
            return true;
        }
    }
    return false;
}

void
await_call(pid_t tid, long call)
{
    int64_t deadline = coact__oracle_now_ns() + PATIENCE_NS;
    struct coact__threadstate now;
    do {
        ck_assert_msg(coact__oracle_now_ns() < deadline, "it never slept");
        ck_assert_int_eq(coact__threadstate_read(tid, &now), 0);
    } while (now.call != call || now.state != 'S');
}
