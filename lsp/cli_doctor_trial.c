/* cli_doctor_trial.c - `doctor`: real questions to the models, through the engine's door.
 *
 * How      The model that serves a role is loaded where it has to be, and waited for. Then small
 *          documents with a hole are opened and asked about until one is filled rightly; a chat is
 *          told to say one word, and of three texts vectors are made.
 * Rules    The questions are explicit ones to a model by its name, so that no predictor answers in
 *          its place and failures are told instead of kept quiet. */
#include "lsp/cli_doctor.h"

#include "core/base/clock.h"
#include "core/base/limits.h"
#include "core/report/inventory.h"

#define MODEL_MS         300000u /* a large model from a slow disk */
#define ANSWER_MS        10000u  /* the engine gives up after 5 s */
#define CHAT_MS          60000u
#define GIVEN_UP_MS      4900u
#define LAND_MS          3000u /* the flight goes on for a line: how fast it comes is counted */
#define CHAT_MAX_TOKENS  48u
#define PROGRESS_EACH_US SEC_TO_US(5)

/* -- loading -- */

struct loading {
    struct checkup *checkup;
    uint64_t endpoint;
    str model;
    uint64_t began_us, next_progress_us;
    struct error error; /* why it can't be loaded */
    bool has_failed, is_over;
};

static bool is_loaded(struct cli_room *room, void *user)
{
    struct loading *l = user;
    const struct endpoint *e = upstream_find(room->upstream, l->endpoint);
    const struct model_info *m = NULL;
    for (size_t i = 0; e != NULL && i < e->n_models; i++) {
        m = str_eq(e->models[i].id, l->model) ? &e->models[i] : m;
    }
    if (m != NULL && m->load_error != NULL && !m->is_loading) {
        l->error = *m->load_error;
        l->has_failed = true;
    }
    l->is_over = m == NULL || m->is_loaded || l->has_failed;
    uint64_t now_us = clock_now_us();
    if (!l->is_over && now_us >= l->next_progress_us) {
        checkup_tell(l->checkup, STR_FMT " is loading " STR_FMT " ...", STR_ARG(e->name),
                     STR_ARG(l->model));
        l->next_progress_us = now_us + PROGRESS_EACH_US;
    }
    return l->is_over;
}

/* Loads what the route wants, and says how that went; whether it is loaded now. */
static bool load(struct checkup *c, struct route *wanted)
{
    struct cli_room *room = &c->room;
    const struct endpoint *e = upstream_find(room->upstream, wanted->load_endpoint);
    (void)snprintf(wanted->name, sizeof wanted->name, STR_FMT "/" STR_FMT, STR_ARG(e->name),
                   STR_ARG(wanted->load_model));
    struct loading l = {.checkup = c,
                        .endpoint = wanted->load_endpoint,
                        .model = arena_dup(&room->arena, wanted->load_model),
                        .began_us = clock_now_us(),
                        .next_progress_us = clock_now_us() + PROGRESS_EACH_US / 4};
    upstream_load(room->upstream, l.endpoint, l.model);
    cli_room_wait(room, MODEL_MS, is_loaded, &l);
    struct doctor_load facts = {.took_ms = (clock_now_us() - l.began_us) / 1000,
                                .error = l.has_failed ? &l.error : NULL,
                                .is_over = l.is_over};
    doctor_check_load(c->doctor, wanted, &facts);
    return l.is_over && !l.has_failed;
}

/* -- asking -- */

struct asking {
    struct buf text;
    enum answer_source source;
    struct buf why;
    uint64_t first_ms, total_ms;
    bool is_done, has_failed;
    struct error error;
    /* while a person waits */
    const struct checkup *checkup;
    const char *model;
    uint64_t next_progress_us;
};

static void asking_init(struct asking *a)
{
    *a = (struct asking){.is_done = false};
    buf_init(&a->text, FLIGHT_MAX_TEXT_BYTES);
    buf_init(&a->why, 4 * KIB);
}

static void asking_release(struct asking *a)
{
    buf_release(&a->text);
    buf_release(&a->why);
}

static void on_done(const struct answer *answer, const struct error *error, void *user)
{
    struct asking *a = user;
    a->is_done = true;
    buf_append(&a->why, answer->why);
    if (error != NULL) {
        a->has_failed = true;
        a->error = *error;
        return;
    }
    a->source = answer->source;
    if (answer->source != ANSWER_PREDICTOR) {
        buf_append(&a->text, answer->text);
    }
    a->first_ms = answer->first_us / 1000;
    a->total_ms = answer->total_us / 1000;
}

static bool is_done(struct cli_room *room, void *user)
{
    (void)room;
    struct asking *a = user;
    uint64_t now_us = clock_now_us();
    if (!a->is_done && now_us >= a->next_progress_us) {
        checkup_tell(a->checkup, "waiting for %s ...", a->model);
        a->next_progress_us = now_us + PROGRESS_EACH_US;
    }
    return a->is_done;
}

static bool has_landed(struct cli_room *room, void *user)
{
    (void)user;
    return !engine_status(room->engine).is_busy;
}

/* Asks and waits; what doesn't come in time has failed. */
static void ask(struct checkup *c, const struct question *q, unsigned timeout_ms, struct asking *a)
{
    struct sink sink = {.on_done = on_done, .user = a};
    uint64_t began_us = clock_now_us();
    a->checkup = c;
    a->next_progress_us = began_us + PROGRESS_EACH_US / 2;
    uint64_t id = engine_ask(c->room.engine, q, &sink);
    cli_room_wait(&c->room, timeout_ms, is_done, a);
    if (!a->is_done) {
        engine_cancel(c->room.engine, id);
        cli_room_wait(&c->room, ANSWER_MS, is_done, a);
        a->has_failed = true;
        error_set(&a->error, ERR_TIMEOUT, "no answer within %u s", timeout_ms / 1000);
    }
    if (a->total_ms == 0) {
        a->total_ms = (clock_now_us() - began_us) / 1000;
    }
}

static void take(struct doctor_trial *t, struct checkup *c, const struct asking *a,
                 enum hole_verdict verdict, struct error *error)
{
    t->tries[t->n_tries].verdict = verdict;
    t->tries[t->n_tries].text = arena_dup(&c->room.arena, buf_str(&a->text));
    t->n_tries++;
    t->why = arena_dup(&c->room.arena, buf_str(&a->why));
    t->first_ms = a->first_ms;
    t->total_ms = a->total_ms;
    *error = a->error;
    t->error = a->has_failed ? error : NULL;
}

/* -- holes -- */

static bool open_hole(struct checkup *c, const struct doctor_hole *hole, uint64_t *document)
{
    struct buf text;
    str path = arena_printf(&c->room.arena, "/doctor/%s", hole->file);
    buf_init(&text, 4 * KIB);
    buf_appendf(&text, "%s%s", hole->before, hole->after);
    /* Without a language, since a person may have switched any of them off. */
    enum err err = documents_open(c->room.documents, path, STR(""), buf_str(&text), document);
    buf_release(&text);
    return err == ERR_OK;
}

/* True where it need not be tried again: filled rightly, or failed. */
static bool try_hole(struct checkup *c, const struct doctor_hole *hole, const struct route *r,
                     struct doctor_trial *t, struct error *error)
{
    uint64_t document;
    struct asking a;
    if (!open_hole(c, hole, &document)) {
        return true;
    }
    asking_init(&a);
    a.model = r->name;
    struct question q = {.kind = QUESTION_INLINE,
                         .document = document,
                         .cursor = strlen(hole->before),
                         .selected_start = strlen(hole->before),
                         .is_explicit = true,
                         .model = str_from(r->name)};
    ask(c, &q, ANSWER_MS, &a);
    cli_room_wait(&c->room, LAND_MS, has_landed, NULL);
    enum hole_verdict verdict = doctor_judge(hole, buf_str(&a.text));
    take(t, c, &a, verdict, error);
    asking_release(&a);
    bool is_given_up = t->total_ms >= GIVEN_UP_MS; /* the others would take as long */
    return t->error != NULL || verdict == HOLE_RIGHT || is_given_up;
}

static void try_holes(struct checkup *c, const struct route *r)
{
    struct doctor_trial t = {.n_tries = 0};
    struct error error;
    struct upstream_stats before = upstream_stats(c->room.upstream);
    for (size_t i = 0; doctor_hole(i) != NULL; i++) {
        if (try_hole(c, doctor_hole(i), r, &t, &error)) {
            break;
        }
    }
    struct upstream_stats after = upstream_stats(c->room.upstream);
    t.n_pauses = after.n_pauses - before.n_pauses;
    t.pauses_us = after.pauses_us - before.pauses_us;
    doctor_check_trial(c->doctor, c->room.upstream, r, &t);
}

/* -- the chat -- */

static void try_chat(struct checkup *c, const struct route *r)
{
    struct asking a;
    struct error error;
    struct doctor_trial t = {.n_tries = 0};
    struct chat chat = {.system = STR("You follow instructions to the letter."),
                        .prompt = STR("Reply with the single word ready."),
                        .max_tokens = CHAT_MAX_TOKENS,
                        .kind = "doctor"};
    struct question q = {
        .kind = QUESTION_CHAT, .is_explicit = true, .model = str_from(r->name), .chat = &chat};
    asking_init(&a);
    a.model = r->name;
    ask(c, &q, CHAT_MS, &a);
    take(&t, c, &a, HOLE_CODE, &error);
    asking_release(&a);
    doctor_check_chat(c->doctor, r, &t, STR("ready"));
}

/* -- vectors -- */

struct vectors {
    bool is_done;
    size_t n_dims;
    double alike, other; /* of the two texts of one meaning, and of the third with the first */
    struct error error;
};

static void on_vectors(uint64_t exchange, const struct embedding *v, void *user)
{
    (void)exchange;
    struct vectors *found = user;
    found->n_dims = v->n_dims;
    found->alike = embedding_cosine(v, 0, 1);
    found->other = embedding_cosine(v, 0, 2);
}

static void on_vectors_done(uint64_t exchange, const struct generate_end *end, double confidence,
                            const struct error *error, void *user)
{
    (void)exchange;
    (void)end;
    (void)confidence;
    struct vectors *found = user;
    found->is_done = true;
    found->error = error != NULL ? *error : found->error;
}

static bool have_come(struct cli_room *room, void *user)
{
    (void)room;
    return ((struct vectors *)user)->is_done;
}

/* Two texts of one meaning and one of another. */
static void try_vectors(struct checkup *c, const struct route *r)
{
    static const str texts[] = {STR_INIT("int sum(int a, int b) { return a + b; }"),
                                STR_INIT("Adds two whole numbers."),
                                STR_INIT("Opens a window and waits for the mouse.")};
    struct vectors found = {.is_done = false};
    struct upstream *u = c->room.upstream;
    struct exchange_spec spec = {.endpoint = r->endpoint,
                                 .kind = EXCHANGE_ASKED,
                                 .generate = {.model = r->model, .slot = -1},
                                 .embeds = texts,
                                 .n_embeds = sizeof texts / sizeof texts[0],
                                 .first_token_us = EXCHANGE_AUTO,
                                 .total_us = EXCHANGE_AUTO};
    struct exchange_sink sink = {
        .on_done = on_vectors_done, .user = &found, .on_vectors = on_vectors};
    uint64_t from_us = clock_now_us();
    uint64_t id = exchange_start(u, &spec, &sink);
    cli_room_wait(&c->room, CHAT_MS, have_come, &found);
    if (!found.is_done) {
        exchange_cancel(u, id);
        (void)error_set(&found.error, ERR_TIMEOUT, "no vectors came within %u s", CHAT_MS / 1000);
    }
    struct doctor_vectors facts = {.n_dims = found.n_dims,
                                   .alike = found.alike,
                                   .other = found.other,
                                   .took_ms = (clock_now_us() - from_us) / 1000,
                                   .error = found.error.code != ERR_OK ? &found.error : NULL};
    doctor_check_vectors(c->doctor, r, &facts);
}

void checkup_role(struct checkup *c, enum role role, bool is_same)
{
    struct cli_room *room = &c->room;
    const struct settings *s = room->settings;
    bool is_as_inline = role == ROLE_INLINE_MANUAL && s->n_models_inline_manual == 0;
    if (is_as_inline || !role_is_wanted(role, s)) {
        return;
    }
    struct route r = inventory_route(room->upstream, s, role);
    if (r.state != ROUTE_READY && r.needs_load) {
        if (!load(c, &r)) {
            return;
        }
        r = inventory_route(room->upstream, s, role);
    }
    doctor_check_role(c->doctor, room->upstream, s, &r);
    if (r.state != ROUTE_READY || is_same) {
        return;
    }
    doctor_check_template(c->doctor, room->upstream, s, &r);
    doctor_check_context(c->doctor, room->upstream, s, &r);
    if (role == ROLE_CHAT) {
        try_chat(c, &r);
    } else if (role == ROLE_EMBED) {
        try_vectors(c, &r);
    } else if (s->inline_enabled) {
        try_holes(c, &r);
    }
}
