/* doctor_ports.c - findings about where servers are looked for: this machine's ports, and proxies.
 */
#include "core/report/doctor_internal.h"

#include <stdio.h>

#include "core/base/limits.h"

str doctor_place(const struct endpoint *e)
{
    size_t scheme = str_find(e->origin, STR("://"), 0);
    return scheme == SIZE_MAX ? e->origin : str_sub(e->origin, scheme + 3, e->origin.len);
}

void doctor_put_run_hint(const char *hint, str port, struct buf *out)
{
    str all = str_from(hint);
    size_t at = str_find(all, STR("%PORT"), 0);
    buf_append(out, str_sub(all, 0, at));
    if (at != SIZE_MAX) {
        buf_append(out, port);
        buf_append(out, str_sub(all, at + 5, all.len));
    }
}

/* -- ports of this machine -- */

static bool is_own(const struct endpoint *e)
{
    return (e->ops->capabilities & PROVIDER_IN_PROCESS) != 0;
}

/* "8080, 8012, 9931 (llamacpp), 11434 (ollama)" */
static void list_ports(const struct provider_ops *const *providers, struct buf *out)
{
    for (size_t i = 0; providers != NULL && providers[i] != NULL; i++) {
        const uint16_t *port = providers[i]->ports;
        for (; port != NULL && *port != 0; port++) {
            buf_appendf(out, "%s%u%s%s%s", out->len > 0 ? ", " : "", (unsigned)*port,
                        port[1] == 0 ? " (" : "", port[1] == 0 ? providers[i]->kind : "",
                        port[1] == 0 ? ")" : "");
        }
    }
}

/* The first dialect whose server is installed here; NULL for none. */
static const struct provider_ops *installed(const struct doctor_options *o)
{
    for (size_t i = 0; o->can_run != NULL && o->providers[i] != NULL; i++) {
        const struct provider_ops *ops = o->providers[i];
        if (ops->run_hint == NULL || ops->ports == NULL) {
            continue;
        }
        char name[64];
        str word =
            str_sub(str_from(ops->run_hint), 0, str_find_char(str_from(ops->run_hint), ' ', 0));
        (void)snprintf(name, sizeof name, STR_FMT, STR_ARG(word));
        if (o->can_run(name)) {
            return ops;
        }
    }
    return NULL;
}

static void find_no_server(struct doctor *d, const struct upstream *u, bool is_needed)
{
    const struct provider_ops *ops = installed(doctor_options(d));
    struct buf text;
    buf_init(&text, KIB);
    list_ports(doctor_options(d)->providers, &text);
    doctor_find(d, "port.nothing_listens", is_needed ? FINDING_FAIL : FINDING_OK,
                STR("model servers"), "none is on this machine: nothing answers on %s",
                buf_cstr(&text));
    if (!is_needed) {
        buf_release(&text);
        return;
    }
    doctor_next(d, "start %s; where it is on another port or machine, name it in endpoints",
                ops != NULL ? "the one that is installed" : "one");
    buf_clear(&text);
    if (ops != NULL) {
        char port[8];
        (void)snprintf(port, sizeof port, "%u", (unsigned)ops->ports[0]);
        doctor_put_run_hint(ops->run_hint, str_from(port), &text);
    } else {
        buf_append(&text, str_from(upstream_start_hint(u)));
    }
    doctor_command(d, "%s", buf_cstr(&text));
    buf_release(&text);
}

void doctor_check_ports(struct doctor *d, const struct upstream *u, bool is_needed)
{
    size_t n_found = 0;
    for (size_t i = 0; i < upstream_count(u); i++) {
        n_found += is_own(upstream_endpoint(u, i)) ? 0 : 1;
    }
    for (size_t i = 0; i < upstream_place_count(u); i++) {
        const struct endpoint *e = upstream_place(u, i);
        bool is_hidden = e->is_discovered && e->name.len == 0;
        if (!is_hidden || e->error.cause == CAUSE_NOTHING_LISTENS || e->error.code == ERR_OK) {
            continue;
        }
        doctor_find(d, "port.foreign", n_found == 0 ? FINDING_WARN : FINDING_OK, doctor_place(e),
                    "something else listens there%s",
                    e->error.cause == CAUSE_WEB_PAGE ? ": a web page came" : "");
        if (n_found == 0) {
            doctor_next(d, "if your model server should be there, stop the other program or let "
                           "the server listen on another port, and name that in endpoints");
        }
    }
    if (n_found == 0) {
        find_no_server(d, u, is_needed);
    }
}

/* -- proxies -- */

static const struct endpoint_settings *settings_of(const struct settings *s, str name)
{
    for (size_t i = 0; i < s->n_endpoints; i++) {
        if (str_eq(s->endpoints[i].name, name)) {
            return &s->endpoints[i];
        }
    }
    return NULL;
}

void doctor_check_proxies(struct doctor *d, const struct upstream *u, const struct settings *s,
                          const char *const *variables)
{
    struct buf names;
    buf_init(&names, KIB);
    for (; *variables != NULL; variables++) {
        buf_appendf(&names, "%s%s", names.len > 0 ? ", " : "", *variables);
    }
    bool has_near = false;
    for (size_t i = 0; names.len > 0 && i < upstream_count(u); i++) {
        const struct endpoint *e = upstream_endpoint(u, i);
        const struct endpoint_settings *es = settings_of(s, e->name);
        has_near = has_near || (!is_own(e) && e->tier == TIER_LOOPBACK);
        if (!is_own(e) && e->tier != TIER_LOOPBACK && (es == NULL || es->proxy.len == 0)) {
            doctor_find(d, "proxy.used", FINDING_OK, e->name,
                        "is reached through the environment's proxy (%s), where that applies",
                        buf_cstr(&names));
        }
    }
    if (has_near) {
        doctor_find(d, "proxy.ignored", FINDING_OK, STR("proxy"),
                    "%s: set, and not used for servers of this machine", buf_cstr(&names));
    }
    buf_release(&names);
}
