/* process_test.c - commands, what they print and how they end. */
#include "core/loop/loop.h"

#include "tests/unit/core/loop/bounded.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

struct heard {
    struct loop *loop;
    struct loop_process *process;
    int n_calls, status;
    bool is_over, must_destroy;
    char text[2 * LOOP_PROCESS_OUTPUT_BYTES];
    size_t n_text;
};

static void on_end(int status, str output, void *user)
{
    struct heard *h = user;
    h->n_calls++;
    h->status = status;
    h->n_text = output.len;
    memcpy(h->text, output.ptr, output.len);
    h->is_over = true;
    if (h->must_destroy) {
        loop_process_destroy(h->process);
        h->process = NULL;
    }
}

static void start(struct heard *h, const char *script)
{
    const str argv[] = {STR("sh"), STR("-c"), str_from(script)};
    *h = (struct heard){.loop = loop_create()};
    h->process = loop_process_start(h->loop, argv, 3, on_end, h);
    assert_non_null(h->process);
    assert_int_equal(h->n_calls, 0); /* never from inside */
}

/* Ends it all; no child is left, be it as a zombie. */
static void stop(struct heard *h)
{
    loop_process_destroy(h->process);
    loop_destroy(h->loop);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

static void process_tells_what_was_printed_and_how_it_ended(void **state)
{
    (void)state;
    static const struct {
        const char *script, *text;
        int status;
    } rows[] = {
        {"printf 'a b\\n'", "a b\n", 0},
        {"printf key; exit 3", "key", 3},
        {"true", "", 0},
        {"kill -TERM $$", "", -SIGTERM},
        {"cat; echo no >&2; echo yes", "yes\n", 0}, /* nothing to read, stderr dropped */
        {"exec >&-; exit 4", "", 4},                /* its output ends before it does */
        {"printf a; (sleep 0.05; printf b) &", "ab", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct heard h;
        start(&h, rows[i].script);
        wait_for(h.loop, &h.is_over);
        assert_int_equal(h.n_calls, 1);
        assert_int_equal(h.status, rows[i].status);
        assert_true(str_eq(str_of(h.text, h.n_text), str_from(rows[i].text)));
        stop(&h);
    }
}

static void process_may_be_destroyed_when_it_tells(void **state)
{
    (void)state;
    struct heard h;
    start(&h, "printf x");
    h.must_destroy = true;
    wait_for(h.loop, &h.is_over);
    assert_int_equal(h.n_calls, 1);
    stop(&h);
}

static void process_that_nobody_wants_is_killed(void **state)
{
    (void)state;
    struct heard h;
    uint64_t from_us = clock_now_us();
    start(&h, "exec sleep 30");
    stop(&h);
    assert_int_equal(h.n_calls, 0);
    assert_true(clock_now_us() - from_us < SEC_TO_US(5));
}

static void process_that_prints_for_ever_ends(void **state)
{
    (void)state;
    struct heard h;
    start(&h, "exec yes");
    wait_for(h.loop, &h.is_over);
    assert_int_equal(h.n_text, LOOP_PROCESS_OUTPUT_BYTES);
    assert_int_not_equal(h.status, 0); /* its reader went away */
    stop(&h);
}

static void process_that_cant_be_started_is_none(void **state)
{
    (void)state;
    struct heard h = {.loop = loop_create()};
    const str missing[] = {STR("/nowhere/no-such-command")};
    const str folder[] = {STR("/")};
    assert_null(loop_process_start(h.loop, missing, 1, on_end, &h));
    assert_null(loop_process_start(h.loop, folder, 1, on_end, &h));
    stop(&h);
    assert_int_equal(h.n_calls, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(process_tells_what_was_printed_and_how_it_ended),
        cmocka_unit_test(process_may_be_destroyed_when_it_tells),
        cmocka_unit_test(process_that_nobody_wants_is_killed),
        cmocka_unit_test(process_that_prints_for_ever_ends),
        cmocka_unit_test(process_that_cant_be_started_is_none),
    };
    return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
