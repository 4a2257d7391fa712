/* load_test.c - models that a server loads when they are needed, against a scripted server whose
 * dialect is a list of names, "+" behind those that are loaded, "~" behind those that it is
 * loading. Time can be moved on. */
#include "core/upstream/upstream.h"

#include "tests/unit/core/upstream/server.h"

/* -- time -- */

static uint64_t skipped_us;

static uint64_t clock_of(clockid_t id)
{
    struct timespec now;
    (void)clock_gettime(id, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

uint64_t clock_now_us(void)
{
    return clock_of(CLOCK_MONOTONIC) + skipped_us;
}

uint64_t clock_wall_us(void)
{
    return clock_of(CLOCK_REALTIME);
}

/* -- the dialect -- */

static bool read_names(str body, struct arena *arena, struct model_info *models, size_t n_models)
{
    str name;
    for (size_t i = 0; i < n_models; i++) {
        models[i].is_loaded = models[i].is_starting = false;
    }
    while (str_next(&body, ' ', &name)) {
        bool is_loaded = str_ends_with(name, STR("+"));
        bool is_starting = str_ends_with(name, STR("~"));
        str id = str_sub(name, 0, name.len - (is_loaded || is_starting));
        for (size_t i = 0; i < n_models; i++) {
            if (str_eq(models[i].id, id)) {
                models[i].is_loaded = is_loaded;
                models[i].is_starting = is_starting;
                models[i].loaded_as = is_loaded ? arena_dup(arena, name) : STR("");
            }
        }
    }
    return true;
}

static void probe_request(const struct probe *p, struct http_request *out)
{
    (void)p;
    buf_append(&out->path, STR("/list"));
}

static enum probe_state probe_reply(struct probe *p, int status, str body)
{
    str rest = body, name;
    p->models = arena_alloc(p->arena, 8 * sizeof *p->models);
    p->dialect = 7;
    p->is_static = str_eq(body, STR("static"));
    while (status == 200 && str_next(&rest, ' ', &name)) {
        bool is_marked = str_ends_with(name, STR("+")) || str_ends_with(name, STR("~"));
        name = str_sub(name, 0, name.len - is_marked);
        p->models[p->n_models].id = arena_dup(p->arena, name);
        p->models[p->n_models++].abilities = MODEL_INFILL | MODEL_THINKS;
    }
    p->step++;
    (void)read_names(body, p->arena, p->models, p->n_models);
    if (p->is_static) {
        p->models[0].is_loaded = true;
    }
    return status == 200 ? PROBE_READY : PROBE_FOREIGN;
}

static unsigned n_thinking, keep_s;
static struct buf loaded_as; /* of the last question */

static enum err encode(const struct generate *g, struct http_request *out, struct error *why)
{
    (void)why;
    n_thinking += g->thinks;
    keep_s = (unsigned)g->keep_s;
    assert_int_equal(g->dialect, 7);
    buf_clear(&loaded_as);
    buf_append(&loaded_as, g->loaded_as);
    out->is_post = true;
    buf_append(&out->path, STR("/fill"));
    buf_append(&out->body, g->prefix);
    return ERR_OK;
}

static void decode_begin(struct decoder *d)
{
    d->is_over = false;
}

static void decode(struct decoder *d, str bytes)
{
    d->sink.on_text(bytes, d->sink.user);
}

static void decode_finish(struct decoder *d, bool is_aborted)
{
    struct generate_end end = {.reason = FINISH_STOP};
    if (!is_aborted) {
        d->sink.on_end(&end, d->sink.user);
    }
}

static void explain(int status, str body, struct error *out)
{
    error_set(out, status == 404 ? ERR_NOT_FOUND : ERR_STATUS, STR_FMT, STR_ARG(body));
}

static enum err encode_load(const struct load_order *l, struct http_request *out, struct error *why)
{
    if (str_eq(l->model, STR("odd"))) {
        return error_set(why, ERR_INVALID, "an odd name");
    }
    out->is_post = true;
    buf_appendf(&out->path, "/load?keep=%u", (unsigned)l->keep_s);
    buf_append(&out->body, l->model);
    return ERR_OK;
}

/* 202: begun, not done. */
static enum load_state read_load(int status, str body)
{
    (void)body;
    return status == 200 ? LOAD_DONE : status == 202 ? LOAD_UNDER_WAY : LOAD_FAILED;
}

static void encode_running(unsigned dialect, struct http_request *out)
{
    assert_int_equal(dialect, 7);
    buf_append(&out->path, STR("/running"));
}

static const struct provider_ops lazy_ops = {.kind = "lazy",
                                             .abilities = MODEL_INFILL,
                                             .max_stops = SIZE_MAX,
                                             .probe_request = probe_request,
                                             .probe_reply = probe_reply,
                                             .encode = encode,
                                             .decode_begin = decode_begin,
                                             .decode = decode,
                                             .decode_finish = decode_finish,
                                             .explain = explain,
                                             .encode_load = encode_load,
                                             .read_load = read_load,
                                             .encode_running = encode_running,
                                             .read_running = read_names};
static const struct provider_ops embedded_ops = {.kind = "embedded",
                                                 .capabilities = PROVIDER_IN_PROCESS};
static const struct provider_ops *const providers[] = {&lazy_ops, &embedded_ops, NULL};

/* -- the bed -- */

struct bed {
    struct loop *loop;
    struct upstream *upstream;
    struct server server;
    char url[64];
    struct endpoint_settings endpoint;
    struct settings settings;
    const char *list, *running;        /* running NULL: silence */
    struct server_connection *loading; /* a load that waits for its answer */
    size_t n_lists, n_loads, n_glances;
    unsigned n_changes;
    bool is_done, is_forgetful; /* of the model that it is asked */
    bool is_inside;             /* a call that must not call back */
};

static void on_request(struct server_connection *c, str request, void *user)
{
    struct bed *bed = user;
    if (str_find(request, STR(" /list"), 0) != SIZE_MAX) {
        bed->n_lists++;
        server_reply(c, 200, "application/json", bed->list);
    } else if (str_find(request, STR(" /load"), 0) != SIZE_MAX) {
        bed->n_loads++;
        bed->loading = c;
    } else if (str_find(request, STR(" /running"), 0) != SIZE_MAX) {
        bed->n_glances++;
        if (bed->running) {
            server_reply(c, 200, "application/json", bed->running);
        }
    } else {
        server_reply(c, bed->is_forgetful ? 404 : 200, "application/x-ndjson", "text");
    }
}

static void on_change(void *user)
{
    struct bed *bed = user;
    assert_false(bed->is_inside);
    bed->n_changes++;
}

static bool is_settled(void *user)
{
    return upstream_is_settled(((struct bed *)user)->upstream);
}

static const struct endpoint *ep(const struct bed *bed)
{
    return upstream_endpoint(bed->upstream, 0);
}

static void bed_start(struct bed *bed, const char *list)
{
    *bed = (struct bed){.loop = loop_create(), .list = list, .running = list};
    skipped_us = n_thinking = keep_s = 0;
    buf_init(&loaded_as, 1024);
    server_start(&bed->server, bed->loop, 0, on_request, bed);
    (void)snprintf(bed->url, sizeof bed->url, "http://127.0.0.1:%u", (unsigned)bed->server.port);
    bed->endpoint = (struct endpoint_settings){
        .name = STR("mine"), .kind = STR("lazy"), .url = str_from(bed->url)};
    bed->settings = (struct settings){
        .n_refs = 1, .endpoints = &bed->endpoint, .n_endpoints = 1, .residency_ttl_ms = 600000};
    struct upstream_options options = {providers, NULL, on_change, bed};
    bed->upstream = upstream_create(bed->loop, &options);
    upstream_configure(bed->upstream, &bed->settings);
    upstream_probe(bed->upstream);
    assert_true(run_until(bed->loop, is_settled, bed));
    assert_int_equal(ep(bed)->state, ENDPOINT_READY);
}

static void bed_end(struct bed *bed)
{
    upstream_destroy(bed->upstream);
    server_stop(&bed->server);
    loop_destroy(bed->loop);
    buf_release(&loaded_as);
}

static void load(struct bed *bed, const char *model)
{
    bed->is_inside = true;
    upstream_load(bed->upstream, ep(bed)->id, str_from(model));
    bed->is_inside = false;
}

static bool confirm(struct bed *bed, const char *model)
{
    bed->is_inside = true;
    bool is_loaded = upstream_confirm_loaded(bed->upstream, ep(bed)->id, str_from(model));
    bed->is_inside = false;
    return is_loaded;
}

static bool has_load(void *user)
{
    return ((struct bed *)user)->loading != NULL;
}

static bool is_not_loading(void *user)
{
    return !ep(user)->models[0].is_loading;
}

static bool is_not_loaded(void *user)
{
    return !ep(user)->models[0].is_loaded;
}

/* Answers the load that waits. */
static void answer_load(struct bed *bed, int status, const char *body)
{
    assert_true(run_until(bed->loop, has_load, bed));
    server_reply(bed->loading, status, "application/json", body);
    bed->loading = NULL;
    assert_true(run_until(bed->loop, is_not_loading, bed));
}

static void on_text(uint64_t exchange, str utf8, void *user)
{
    (void)exchange;
    (void)utf8;
    (void)user;
}

static void on_done(uint64_t exchange, const struct generate_end *end, double confidence,
                    const struct error *error, void *user)
{
    (void)exchange;
    (void)end;
    (void)confidence;
    (void)error;
    ((struct bed *)user)->is_done = true;
}

static uint64_t ask(struct bed *bed, const char *model)
{
    struct exchange_spec spec = {.endpoint = ep(bed)->id,
                                 .generate = {.model = str_from(model), .prefix = STR("x")},
                                 .first_token_us = CLOCK_NEVER,
                                 .total_us = CLOCK_NEVER};
    struct exchange_sink sink = {.on_text = on_text, .on_done = on_done, .user = bed};
    bed->is_done = false;
    return exchange_start(bed->upstream, &spec, &sink);
}

/* -- loading -- */

static void load_goes_on_until_the_server_says_so(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a b+");
    assert_false(ep(&bed)->models[0].is_loaded);
    assert_true(ep(&bed)->models[1].is_loaded);
    load(&bed, "a");
    assert_true(ep(&bed)->models[0].is_loading);
    load(&bed, "a");
    load(&bed, "b"); /* is loaded */
    load(&bed, "c"); /* isn't there */
    assert_true(run_until(bed.loop, has_load, &bed));
    assert_true(server_got(&bed.server, "/load?keep=600"));
    exchange_cancel(bed.upstream, ask(&bed, "a")); /* a cancel of what else there is */
    unsigned n_changes = bed.n_changes;
    bed.running = "a+ b";
    answer_load(&bed, 200, "{}");
    assert_true(ep(&bed)->models[0].is_loaded);
    assert_int_equal(bed.n_loads, 1);
    assert_true(bed.n_changes > n_changes);
    while (ep(&bed)->models[1].is_loaded) { /* the glance that follows tells who had to go */
        assert_true(run_until(bed.loop, is_settled, &bed));
    }
    assert_int_equal(bed.n_glances, 1);
    bed_end(&bed);
}

static void failed_load_is_told_and_not_tried_again_at_once(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a");
    load(&bed, "a");
    answer_load(&bed, 500, "no memory");
    assert_false(ep(&bed)->models[0].is_loaded);
    assert_string_equal(ep(&bed)->models[0].load_error->msg, "no memory");
    load(&bed, "a");
    assert_false(ep(&bed)->models[0].is_loading);
    skipped_us += SEC_TO_US(11);
    load(&bed, "a");
    assert_true(ep(&bed)->models[0].is_loading);
    answer_load(&bed, 500, "no memory");
    skipped_us += SEC_TO_US(11); /* the second time it takes longer */
    load(&bed, "a");
    assert_int_equal(bed.n_loads, 2);
    skipped_us += SEC_TO_US(10);
    load(&bed, "a");
    bed.running = "a+";
    answer_load(&bed, 200, "{}");
    assert_true(ep(&bed)->models[0].is_loaded);
    assert_null(ep(&bed)->models[0].load_error);
    bed_end(&bed);
}

static void load_that_cant_be_sent_fails(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "odd");
    load(&bed, "odd");
    assert_false(ep(&bed)->models[0].is_loading);
    assert_string_equal(ep(&bed)->models[0].load_error->msg, "an odd name");
    bed_end(&bed);
}

static bool has_failed(void *user)
{
    return ep(user)->models[0].load_error != NULL;
}

static void load_that_never_ends_is_given_up(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a b");
    load(&bed, "a");
    assert_true(run_until(bed.loop, has_load, &bed));
    skipped_us += SEC_TO_US(301);
    load(&bed, "b"); /* arms the timer anew: the loop's own time hasn't moved */
    assert_true(run_until(bed.loop, has_failed, &bed));
    assert_int_equal(ep(&bed)->models[0].load_error->code, ERR_TIMEOUT);
    assert_true(ep(&bed)->models[1].is_loading);
    bed_end(&bed);
}

static void broken_load_takes_the_endpoint_down(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a");
    load(&bed, "a");
    for (int i = 0; i < 2; i++) { /* on a connection that was in use before it is sent once more */
        bed.loading = NULL;
        assert_true(run_until(bed.loop, has_load, &bed));
        server_reset(bed.loading);
    }
    assert_true(run_until(bed.loop, has_failed, &bed));
    assert_int_equal(ep(&bed)->models[0].load_error->code, ERR_CONNECT);
    bed_end(&bed);
}

static void looking_again_keeps_what_is_known_of_loads(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a");
    load(&bed, "a");
    assert_true(run_until(bed.loop, has_load, &bed));
    bed.list = "a+ new";
    upstream_refresh(bed.upstream); /* too soon */
    skipped_us += SEC_TO_US(11);
    upstream_refresh(bed.upstream);
    while (ep(&bed)->n_models < 2) {
        assert_true(run_until(bed.loop, is_settled, &bed));
    }
    assert_int_equal(bed.n_lists, 2);
    assert_true(ep(&bed)->models[0].is_loading);
    assert_false(ep(&bed)->models[0].is_loaded); /* listed, but it isn't ready for questions */
    bed.running = "a+";
    answer_load(&bed, 200, "{}");
    assert_true(ep(&bed)->models[0].is_loaded);
    bed_end(&bed);
}

static void loads_go_with_their_endpoint(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a b");
    load(&bed, "a");
    answer_load(&bed, 500, "no memory");
    load(&bed, "b");
    bed.endpoint.name = STR("other");
    upstream_configure(bed.upstream, &bed.settings);
    assert_true(run_until(bed.loop, is_settled, &bed));
    assert_false(ep(&bed)->models[1].is_loading);
    assert_null(ep(&bed)->models[0].load_error);
    load(&bed, "b"); /* and with the upstream */
    bed_end(&bed);
}

/* -- loads that are answered before they are done -- */

static bool is_glanced_twice(void *user)
{
    return ((struct bed *)user)->n_glances >= 2;
}

/* Answers the load that waits with "begun". */
static void answer_begun(struct bed *bed)
{
    assert_true(run_until(bed->loop, has_load, bed));
    server_reply(bed->loading, 202, "application/json", "{}");
    bed->loading = NULL;
}

static void begun_load_is_over_when_the_list_says_so(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a b+");
    load(&bed, "a");
    bed.running = "a~ b+";
    answer_begun(&bed);
    assert_true(run_until(bed.loop, is_glanced_twice, &bed));
    assert_true(ep(&bed)->models[0].is_loading);
    assert_false(ep(&bed)->models[0].is_loaded);
    load(&bed, "a"); /* is on its way */
    bed.running = "a+ b";
    assert_true(run_until(bed.loop, is_not_loading, &bed));
    assert_true(ep(&bed)->models[0].is_loaded);
    assert_false(ep(&bed)->models[1].is_loaded); /* had to make room */
    assert_int_equal(bed.n_loads, 1);
    bed_end(&bed);
}

static void begun_load_that_is_given_up_has_failed(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a");
    load(&bed, "a");
    bed.running = "a";
    answer_begun(&bed);
    assert_true(run_until(bed.loop, has_failed, &bed));
    assert_false(ep(&bed)->models[0].is_loading);
    assert_non_null(strstr(ep(&bed)->models[0].load_error->msg, "gave up loading"));
    load(&bed, "a"); /* too soon */
    assert_int_equal(bed.n_loads, 1);
    bed_end(&bed);
}

static void begun_load_is_given_up_in_time_and_goes_with_its_endpoint(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a b");
    load(&bed, "a");
    bed.running = "a~ b~";
    answer_begun(&bed);
    assert_true(run_until(bed.loop, is_glanced_twice, &bed));
    skipped_us += SEC_TO_US(301);
    load(&bed, "b"); /* arms the timer anew: the loop's own time hasn't moved */
    assert_true(run_until(bed.loop, has_failed, &bed));
    assert_int_equal(ep(&bed)->models[0].load_error->code, ERR_TIMEOUT);
    answer_begun(&bed);
    bed.n_glances = 0;
    assert_true(run_until(bed.loop, is_glanced_twice, &bed));
    assert_true(ep(&bed)->models[1].is_loading);
    bed.endpoint.name = STR("other");
    upstream_configure(bed.upstream, &bed.settings);
    assert_true(run_until(bed.loop, is_settled, &bed));
    assert_false(ep(&bed)->models[1].is_loading);
    bed_end(&bed);
}

static void loaded_model_is_asked_by_the_name_it_has_then(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a b+");
    (void)ask(&bed, "a");
    wait_for(bed.loop, &bed.is_done);
    assert_int_equal(loaded_as.len, 0);
    (void)ask(&bed, "b");
    wait_for(bed.loop, &bed.is_done);
    assert_string_equal(buf_cstr(&loaded_as), "b+");
    bed_end(&bed);
}

/* A server of a kind that loads may be one that doesn't: nothing of it is loaded or asked about,
 * also no model that the settings alone know. */
static void server_that_never_unloads_is_left_alone(void **state)
{
    (void)state;
    static const str named[] = {{"extra", 5}};
    struct bed bed;
    bed_start(&bed, "static");
    bed.endpoint.name = STR("other");
    bed.endpoint.models = named;
    bed.endpoint.n_models = 1;
    upstream_configure(bed.upstream, &bed.settings);
    assert_true(run_until(bed.loop, is_settled, &bed));
    assert_int_equal(ep(&bed)->n_models, 2);
    assert_true(ep(&bed)->models[0].is_loaded && ep(&bed)->models[1].is_loaded);
    load(&bed, "extra");
    skipped_us += SEC_TO_US(60);
    assert_true(confirm(&bed, "static") && confirm(&bed, "extra"));
    upstream_refresh(bed.upstream);
    (void)ask(&bed, "extra");
    wait_for(bed.loop, &bed.is_done);
    assert_int_equal(bed.n_loads, 0);
    assert_int_equal(bed.n_glances, 0);
    assert_int_equal(bed.n_lists, 2);
    bed_end(&bed);
}

/* -- what is known grows old -- */

static void loaded_model_is_confirmed_after_a_while(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a+");
    assert_true(confirm(&bed, "a"));
    assert_true(confirm(&bed, "unknown"));
    skipped_us += SEC_TO_US(21);
    assert_false(confirm(&bed, "a"));
    assert_false(confirm(&bed, "a"));
    unsigned n_changes = bed.n_changes;
    while (bed.n_changes == n_changes) {
        assert_true(run_until(bed.loop, is_settled, &bed));
    }
    assert_int_equal(bed.n_glances, 1);
    assert_true(confirm(&bed, "a"));
    skipped_us += SEC_TO_US(21);
    bed.running = "";
    assert_false(confirm(&bed, "a"));
    assert_true(run_until(bed.loop, is_not_loaded, &bed));
    load(&bed, "a");
    assert_true(ep(&bed)->models[0].is_loading);
    bed_end(&bed);
}

/* A server that has no such model any more is asked at once which ones are loaded. */
static void refused_question_has_the_server_asked(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a+");
    bed.is_forgetful = true;
    bed.running = "a";
    (void)ask(&bed, "a");
    wait_for(bed.loop, &bed.is_done);
    assert_true(run_until(bed.loop, is_not_loaded, &bed));
    assert_int_equal(bed.n_glances, 1);
    load(&bed, "a"); /* at once */
    assert_true(ep(&bed)->models[0].is_loading);
    bed_end(&bed);
}

static void text_is_a_sign_of_life(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a+ b");
    skipped_us += SEC_TO_US(15);
    (void)ask(&bed, "a");
    wait_for(bed.loop, &bed.is_done);
    skipped_us += SEC_TO_US(15);
    assert_true(confirm(&bed, "a"));
    (void)ask(&bed, "b"); /* somebody else has had it loaded */
    wait_for(bed.loop, &bed.is_done);
    assert_true(ep(&bed)->models[1].is_loaded);
    assert_int_equal(bed.n_glances, 0);
    assert_int_equal(n_thinking, 2);
    assert_int_equal(keep_s, 600);
    bed_end(&bed);
}

static void glance_without_an_answer_leaves_what_was_known(void **state)
{
    (void)state;
    struct bed bed;
    bed_start(&bed, "a+ b");
    skipped_us += SEC_TO_US(21);
    bed.running = NULL;
    assert_false(confirm(&bed, "a"));
    skipped_us += SEC_TO_US(3);
    load(&bed, "b"); /* arms the timer anew */
    unsigned n_changes = bed.n_changes;
    while (bed.n_changes < n_changes + 2) {
        assert_true(run_until(bed.loop, is_settled, &bed));
    }
    assert_true(ep(&bed)->models[0].is_loaded);
    assert_true(confirm(&bed, "a"));
    skipped_us += SEC_TO_US(21);
    assert_false(confirm(&bed, "a")); /* under way when everything ends */
    bed_end(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(load_goes_on_until_the_server_says_so),
        cmocka_unit_test(failed_load_is_told_and_not_tried_again_at_once),
        cmocka_unit_test(load_that_cant_be_sent_fails),
        cmocka_unit_test(load_that_never_ends_is_given_up),
        cmocka_unit_test(broken_load_takes_the_endpoint_down),
        cmocka_unit_test(looking_again_keeps_what_is_known_of_loads),
        cmocka_unit_test(loads_go_with_their_endpoint),
        cmocka_unit_test(begun_load_is_over_when_the_list_says_so),
        cmocka_unit_test(begun_load_that_is_given_up_has_failed),
        cmocka_unit_test(begun_load_is_given_up_in_time_and_goes_with_its_endpoint),
        cmocka_unit_test(loaded_model_is_asked_by_the_name_it_has_then),
        cmocka_unit_test(server_that_never_unloads_is_left_alone),
        cmocka_unit_test(loaded_model_is_confirmed_after_a_while),
        cmocka_unit_test(refused_question_has_the_server_asked),
        cmocka_unit_test(text_is_a_sign_of_life),
        cmocka_unit_test(glance_without_an_answer_leaves_what_was_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
