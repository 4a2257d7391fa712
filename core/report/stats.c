/* stats.c - every figure there is, as JSON.
 *
 * Rules    Counters have the name they have in the program, without its "n_". Members are only
 *          ever added: scripts and editor plugins read them. No document text, no keys. */
#include "core/report/stats.h"

static void write_endpoints(const struct upstream *u, struct json_writer *w);

static const char *mood_name(enum engine_mood mood)
{
    switch (mood) {
    case MOOD_NORMAL:
        return "normal";
    case MOOD_LOADING:
        return "loading";
    case MOOD_WARNING:
        return "warning";
    case MOOD_INACTIVE:
        return "inactive";
    }
    return "unknown";
}

void stats_write_status(struct engine *engine, struct json_writer *w)
{
    struct engine_status s = engine_status(engine);
    json_key_str(w, STR("kind"), str_from(mood_name(s.mood)));
    json_key_bool(w, STR("busy"), s.is_busy);
    json_key_str(w, STR("model"), s.model);
    json_key_str(w, STR("endpoint"), s.endpoint);
    json_key(w, STR("loading"));
    if (s.loading < 0) {
        json_put_null(w);
    } else {
        json_put_double(w, s.loading);
    }
    json_key_str(w, STR("message"), s.message);
    json_key_str(w, STR("why"), s.why);
}

void stats_write_histogram(const struct histogram *h, double unit_us, struct json_writer *w)
{
    json_begin_object(w);
    json_key_count(w, STR("n"), h->n);
    json_key_double(w, STR("mean"), (double)histogram_mean(h) / unit_us);
    json_key_double(w, STR("p50"), (double)histogram_quantile(h, 0.50) / unit_us);
    json_key_double(w, STR("p95"), (double)histogram_quantile(h, 0.95) / unit_us);
    json_key_double(w, STR("p99"), (double)histogram_quantile(h, 0.99) / unit_us);
    json_key_double(w, STR("max"), (double)h->max_us / unit_us);
    json_end_object(w);
}

static void write_engine(const struct engine *engine, struct json_writer *w)
{
    const struct engine_stats *s = engine_stats(engine);
    json_key(w, STR("engine"));
    json_begin_object(w);
    json_key_count(w, STR("questions"), s->n_questions);
    json_key_count(w, STR("shown"), s->n_shown);
    json_key_count(w, STR("empty"), s->n_empty);
    json_key_count(w, STR("superseded"), s->n_superseded);
    json_key_count(w, STR("cancelled"), s->n_cancelled);
    json_key_count(w, STR("failed"), s->n_failed);
    json_key_count(w, STR("suppressed"), s->n_suppressed);
    json_key_count(w, STR("fromModel"), s->n_from_model);
    json_key_count(w, STR("fromPredictor"), s->n_from_predictor);
    json_key_count(w, STR("accepted"), s->n_accepted);
    json_key_count(w, STR("acceptedBytes"), s->n_accepted_bytes);
    json_key_count(w, STR("shownBytes"), s->n_shown_bytes);
    json_key_count(w, STR("afterUndo"), s->n_after_undo);
    json_key_count(w, STR("afterPaste"), s->n_after_paste);
    json_key_count(w, STR("withheld"), s->n_withheld);
    json_key_count(w, STR("seen"), s->n_seen);
    json_key_count(w, STR("taken"), s->n_fates[FATE_TAKEN]);
    json_key_count(w, STR("partlyTaken"), s->n_fates[FATE_PARTLY]);
    json_key_count(w, STR("typed"), s->n_fates[FATE_TYPED]);
    json_key_count(w, STR("typedOver"), s->n_fates[FATE_OVER]);
    json_key_count(w, STR("ignored"), s->n_fates[FATE_IGNORED]);
    json_key_count(w, STR("updates"), s->n_updates);
    json_key_count(w, STR("choices"), s->n_choices);
    json_key_count(w, STR("others"), s->n_others);
    json_key_count(w, STR("embeddings"), s->n_embeddings);
    json_key_count(w, STR("embedded"), s->n_embedded);
    json_key_count(w, STR("related"), s->n_related);
    json_key_count(w, STR("failedOver"), s->n_failed_over);
    json_key_count(w, STR("hedged"), s->n_hedged);
    json_key_count(w, STR("hedgedWon"), s->n_hedged_won);
    json_key_count(w, STR("held"), s->n_held);
    json_key_count(w, STR("heldOff"), s->n_held_off);
    json_key_count(w, STR("ahead"), s->n_ahead);
    json_key_count(w, STR("aheadWanted"), s->n_ahead_wanted);
    json_key(w, STR("firstMs"));
    stats_write_histogram(&s->first, 1000, w);
    json_key(w, STR("totalMs"));
    stats_write_histogram(&s->total, 1000, w);
    json_key(w, STR("ownUs"));
    stats_write_histogram(&s->own, 1, w);
    json_end_object(w);
}

static void write_places(const struct engine *engine, const struct upstream *u,
                         struct json_writer *w)
{
    json_key(w, STR("places"));
    json_begin_array(w);
    for (size_t i = 0; u != NULL && i < upstream_count(u); i++) {
        const struct endpoint *e = upstream_endpoint(u, i);
        unsigned n = engine_places(engine, e->id);
        if (n > 0) {
            json_begin_object(w);
            json_key_str(w, STR("endpoint"), e->name);
            json_key_count(w, STR("n"), n);
            json_end_object(w);
        }
    }
    json_end_array(w);
}

static void write_queue(const struct engine *engine, const struct upstream *u,
                        struct json_writer *w)
{
    struct queue_stats s = engine_lanes(engine);
    json_key(w, STR("queue"));
    json_begin_object(w);
    json_key_count(w, STR("waiting"), s.n_waiting);
    json_key_count(w, STR("running"), s.n_running);
    json_key_count(w, STR("started"), s.n_started);
    json_key_count(w, STR("waited"), engine_stats(engine)->n_waited);
    json_key_count(w, STR("dropped"), s.n_dropped);
    json_key_count(w, STR("stopped"), s.n_stopped);
    json_key_count(w, STR("swapsAvoided"), s.n_swaps_avoided);
    json_key_count(w, STR("keptWarm"), s.n_kept_warm);
    json_key(w, STR("waitedMs"));
    stats_write_histogram(&engine_stats(engine)->waited, 1000, w);
    write_places(engine, u, w);
    json_end_object(w);
}

static void write_flights(const struct engine *engine, struct json_writer *w)
{
    struct flights_stats s = engine_flights(engine);
    json_key(w, STR("flights"));
    json_begin_object(w);
    json_key_count(w, STR("flying"), s.n_flying);
    json_key_count(w, STR("landed"), s.n_landed);
    json_key_count(w, STR("bytes"), s.n_bytes);
    json_key_count(w, STR("takenOff"), s.n_taken_off);
    json_key_count(w, STR("boardedFlying"), s.n_boarded_flying);
    json_key_count(w, STR("boardedLanded"), s.n_boarded_landed);
    json_key_count(w, STR("boardedCached"), s.n_boarded_cached);
    json_key_count(w, STR("boardedSimilar"), s.n_boarded_similar);
    json_key_count(w, STR("aborted"), s.n_aborted);
    json_end_object(w);
}

static void write_store(const struct store *store, struct json_writer *w)
{
    struct store_stats s = store_stats(store);
    json_key(w, STR("store"));
    json_begin_object(w);
    json_key_str(w, STR("name"), str_from(s.name));
    json_key_str(w, STR("state"), str_from(s.state));
    json_key_str(w, STR("reason"), str_from(s.reason));
    json_key_count(w, STR("hits"), s.n_hits);
    json_key_count(w, STR("misses"), s.n_misses);
    json_key_count(w, STR("expired"), s.n_expired);
    json_key_count(w, STR("rejected"), s.n_rejected);
    json_key_count(w, STR("late"), s.n_late);
    json_key_count(w, STR("stored"), s.n_stored);
    json_key_count(w, STR("dropped"), s.n_dropped);
    json_key_count(w, STR("evicted"), s.n_evicted);
    json_key_count(w, STR("errors"), s.n_errors);
    json_key_count(w, STR("bytes"), s.n_bytes);
    json_key_bool(w, STR("offLoop"), s.is_off_loop);
    json_key(w, STR("lookupUs"));
    stats_write_histogram(s.lookup_us, 1, w);
    json_end_object(w);
}

static void write_dedup(const struct engine *engine, struct json_writer *w)
{
    struct similar_stats s = engine_similar(engine);
    json_key(w, STR("dedup"));
    json_begin_object(w);
    json_key_bool(w, STR("similarity"), s.is_on);
    json_key_bool(w, STR("adaptive"), s.is_adaptive);
    json_key_double(w, STR("threshold"), s.threshold);
    json_key_count(w, STR("entries"), s.n_entries);
    json_key_count(w, STR("similarHits"), s.n_hits);
    json_key_count(w, STR("accepted"), s.n_accepted);
    json_key_count(w, STR("refused"), s.n_refused);
    json_end_object(w);
}

static void write_upstream(const struct upstream *u, struct json_writer *w)
{
    struct upstream_stats s = upstream_stats(u);
    json_key(w, STR("upstream"));
    json_begin_object(w);
    json_key_count(w, STR("exchanges"), s.n_exchanges);
    json_key_count(w, STR("cancelled"), s.n_cancelled);
    json_key_count(w, STR("failed"), s.n_failed);
    json_key_count(w, STR("active"), s.n_active);
    json_key_count(w, STR("retries"), s.n_retries);
    json_key_count(w, STR("retriesUnafforded"), s.n_unafforded);
    json_key_count(w, STR("refused"), s.n_refused);
    json_key_count(w, STR("breakerOpened"), s.n_opened);
    json_key_count(w, STR("late"), s.n_late);
    json_key_count(w, STR("tokens"), s.n_tokens);
    json_key_count(w, STR("promptTokens"), s.n_prompt_tokens);
    json_key_count(w, STR("cachedTokens"), s.n_cached_tokens);
    json_key_count(w, STR("bytesIn"), s.n_bytes_in);
    json_key_count(w, STR("bytesOut"), s.n_bytes_out);
    json_key(w, STR("connections"));
    json_begin_object(w);
    json_key_count(w, STR("open"), s.n_connections);
    json_key_count(w, STR("idle"), s.n_connections_idle);
    json_key_count(w, STR("opened"), s.n_connections_opened);
    json_key_count(w, STR("reused"), s.n_connections_reused);
    json_key_count(w, STR("warmed"), s.n_connections_warmed);
    json_key_count(w, STR("closed"), s.n_connections_closed);
    json_end_object(w);
    json_end_object(w);
}

static void write_predictor(const struct predictor *p, struct json_writer *w)
{
    struct predictor_stats s = predictor_stats(p);
    json_key(w, STR("predictor"));
    json_begin_object(w);
    json_key_count(w, STR("files"), s.n_files);
    json_key_count(w, STR("tokens"), s.n_tokens);
    json_key_count(w, STR("bytes"), s.n_bytes);
    json_key_count(w, STR("asked"), s.n_asked);
    json_key_count(w, STR("answered"), s.n_answered);
    json_key_bool(w, STR("learning"), predictor_is_learning(p));
    json_end_object(w);
}

static void write_model(const struct model_info *m, struct json_writer *w)
{
    json_begin_object(w);
    json_key_str(w, STR("id"), m->id);
    json_key_bool(w, STR("loaded"), m->is_loaded);
    json_key_bool(w, STR("remote"), m->is_remote);
    json_key_count(w, STR("bytes"), m->n_bytes);
    json_key_count(w, STR("params"), m->n_params);
    json_key_count(w, STR("context"), m->n_ctx);
    json_end_object(w);
}

static void write_endpoint(const struct endpoint *e, struct json_writer *w)
{
    json_begin_object(w);
    json_key_str(w, STR("name"), e->name);
    json_key_str(w, STR("kind"), str_from(e->ops->kind));
    json_key_str(w, STR("state"), str_from(endpoint_state_name(e->state)));
    json_key_str(w, STR("tier"), str_from(tier_name(e->tier)));
    json_key_str(w, STR("origin"), e->origin);
    json_key_bool(w, STR("discovered"), e->is_discovered);
    json_key_str(w, STR("version"), e->version);
    if (e->error.code != ERR_OK) {
        json_key_str(w, STR("error"), str_from(err_name(e->error.code)));
        json_key_str(w, STR("cause"), str_from(error_cause_name(e->error.cause)));
        json_key_str(w, STR("message"), str_from(e->error.msg));
    }
    if (e->loading >= 0) {
        json_key_double(w, STR("loading"), e->loading);
    }
    json_key_count(w, STR("slots"), e->n_slots);
    json_key(w, STR("models"));
    json_begin_array(w);
    for (size_t i = 0; i < e->n_models; i++) {
        write_model(&e->models[i], w);
    }
    json_end_array(w);
    json_end_object(w);
}

static void write_endpoints(const struct upstream *u, struct json_writer *w)
{
    json_key(w, STR("endpoints"));
    json_begin_array(w);
    for (size_t i = 0; i < upstream_count(u); i++) {
        write_endpoint(upstream_endpoint(u, i), w);
    }
    json_end_array(w);
}

void stats_write(const struct stats_sources *from, struct json_writer *w)
{
    if (from->engine) {
        json_key(w, STR("status"));
        json_begin_object(w);
        stats_write_status(from->engine, w);
        json_end_object(w);
        write_engine(from->engine, w);
        write_flights(from->engine, w);
        write_dedup(from->engine, w);
        write_queue(from->engine, from->upstream, w);
    }
    if (from->store) {
        write_store(from->store, w);
    }
    if (from->upstream) {
        write_upstream(from->upstream, w);
    }
    if (from->predictor) {
        write_predictor(from->predictor, w);
    }
    if (from->documents) {
        json_key(w, STR("documents"));
        json_begin_object(w);
        json_key_count(w, STR("open"), documents_count(from->documents));
        json_end_object(w);
    }
    if (from->upstream) {
        write_endpoints(from->upstream, w);
    }
    if (from->engine) {
        json_key(w, STR("trace"));
        trace_write(engine_trace(from->engine), w, from->max_trace);
    }
}
