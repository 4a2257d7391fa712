/* main.c - replays typing against the engine and simpler policies, and prints what each costs.
 *
 *     traffic [--client vscode|nvim|all] [--wrong PERCENT] [--seed N] [--first MS] [--token MS]
 *             [--json] [--only POLICY] FOLDER TRACE...
 *
 * FOLDER holds traces as typing.c reads them (typist.py makes them). Exit status 1 where an answer
 * was wrong for its position, 2 for usage; goals that are missed are told, and don't count. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/traffic/traffic.h"

#define MAX_POLICIES 32u

static const struct client clients[] = {
    {.name = "vscode", .delay_us = 0, .cancels = true},
    {.name = "nvim", .delay_us = MS_TO_US(200), .cancels = false},
};

struct options {
    const char *client, *only;
    struct habits habits;
    bool is_json;
};

static double per_100(uint64_t n, const struct score *s)
{
    return s->n_steps > 0 ? 100.0 * (double)n / (double)s->n_steps : 0;
}

static double right(const struct score *s, size_t i)
{
    return s->n_pauses[i] > 0 ? 100.0 * (double)s->n_right[i] / (double)s->n_pauses[i] : 0;
}

static double ratio(double ours, double theirs)
{
    return theirs > 0 ? ours / theirs : ours > 0 ? 99 : 1;
}

/* Whether the goal is met beside the perfect rider; the words say what isn't. */
static bool judge(const struct score *s, const struct score *rider, char *words, size_t n)
{
    bool requests = ratio((double)s->n_requests, (double)rider->n_requests) <= 1.3;
    bool tokens = ratio((double)s->n_tokens, (double)rider->n_tokens) <= 1.5;
    bool shown = true;
    for (size_t i = 0; i < N_SAMPLES; i++) {
        shown = shown && ratio(right(s, i), right(rider, i)) >= 0.85;
    }
    bool is_met = requests && tokens && shown && s->n_wrong == 0;
    (void)snprintf(words, n, "%s%s%s%s%s",
                   is_met ? "goal met" : "missed:", requests ? "" : " requests",
                   tokens ? "" : " tokens", shown ? "" : " on screen",
                   s->n_wrong == 0 ? "" : " WRONG ANSWERS");
    return is_met;
}

static void print_head(const struct typing *t, const struct client *c, const struct score *s)
{
    printf("\n%s, %s: %llu edits, pauses of 100/200/400 ms before typing on: %llu/%llu/%llu\n",
           t->name, c->name, (unsigned long long)s->n_steps, (unsigned long long)s->n_pauses[0],
           (unsigned long long)s->n_pauses[1], (unsigned long long)s->n_pauses[2]);
    printf("%-34s %13s %14s %7s  %-21s %5s %5s\n", "", "requests/100", "tokens/100", "unshown",
           "right at 100 200 400", "wrong", "taken");
}

static void print_row(const struct policy *p, const struct score *s, const struct score *rider)
{
    char words[128] = "";
    if (p->is_ours) {
        (void)judge(s, rider, words, sizeof words);
    }
    printf("%-34s %5.1f (%5.2fx) %6.0f (%4.2fx) %6.0f   %4.1f %4.1f %4.1f %%     %5llu %5llu  %s\n",
           p->name, per_100(s->n_requests, s),
           ratio((double)s->n_requests, (double)rider->n_requests), per_100(s->n_tokens, s),
           ratio((double)s->n_tokens, (double)rider->n_tokens), per_100(s->n_unshown, s),
           right(s, 0), right(s, 1), right(s, 2), (unsigned long long)s->n_wrong,
           (unsigned long long)s->n_accepted, words);
    (void)fflush(stdout);
}

static void print_json(const struct typing *t, const struct client *c, const struct policy *p,
                       const struct score *s, const struct score *rider)
{
    char words[128];
    bool is_met = judge(s, rider, words, sizeof words);
    printf("{\"trace\": \"%s\", \"client\": \"%s\", \"policy\": \"%s\", \"edits\": %llu, "
           "\"requestsPer100\": %.2f, \"tokensPer100\": %.1f, \"unshownPer100\": %.1f, ",
           t->name, c->name, p->name + strspn(p->name, " "), (unsigned long long)s->n_steps,
           per_100(s->n_requests, s), per_100(s->n_tokens, s), per_100(s->n_unshown, s));
    printf("\"requestsRatio\": %.3f, \"tokensRatio\": %.3f, \"right\": [%.2f, %.2f, %.2f], "
           "\"wrong\": %llu, \"accepted\": %llu, \"goalMet\": %s}\n",
           ratio((double)s->n_requests, (double)rider->n_requests),
           ratio((double)s->n_tokens, (double)rider->n_tokens), right(s, 0), right(s, 1),
           right(s, 2), (unsigned long long)s->n_wrong, (unsigned long long)s->n_accepted,
           is_met ? "true" : "false");
}

/* All policies over one trace with one client; gives how many answers of ours were wrong. */
static uint64_t measure(struct typing *t, const struct client *c, const struct options *o)
{
    struct score rider = {.n_steps = 0};
    uint64_t n_wrong = 0;
    for (size_t i = 0; i < n_policies; i++) {
        const struct policy *p = &policies[i];
        bool is_wanted = o->only == NULL || strstr(p->name, o->only) != NULL;
        if ((c->delay_us > 0 && !p->is_for_all) || (i > 0 && !is_wanted)) {
            continue;
        }
        struct score s = run(t, p, c, &o->habits);
        if (i == 0) {
            rider = s;
        }
        n_wrong += p->is_ours ? s.n_wrong : 0;
        if (o->is_json) {
            print_json(t, c, p, &s, &rider);
        } else {
            if (i == 0) {
                print_head(t, c, &s);
            }
            print_row(p, &s, &rider);
        }
    }
    return n_wrong;
}

static bool parse(int argc, char **argv, struct options *o)
{
    static const struct option names[] = {
        {"client", required_argument, NULL, 'c'}, {"wrong", required_argument, NULL, 'w'},
        {"first", required_argument, NULL, 'f'},  {"token", required_argument, NULL, 't'},
        {"seed", required_argument, NULL, 's'},   {"only", required_argument, NULL, 'o'},
        {"json", no_argument, NULL, 'j'},         {NULL, 0, NULL, 0}};
    *o = (struct options){
        .client = "all",
        .habits = {.first_us = MS_TO_US(200), .token_us = MS_TO_US(20), .seed = 1}};
    int c;
    while ((c = getopt_long(argc, argv, "", names, NULL)) != -1) {
        if (c == 'c') {
            o->client = optarg;
        } else if (c == 'w') {
            o->habits.wrong_percent = (unsigned)strtoul(optarg, NULL, 10);
        } else if (c == 's') {
            o->habits.seed = strtoull(optarg, NULL, 10);
        } else if (c == 'f') {
            o->habits.first_us = MS_TO_US(strtoul(optarg, NULL, 10));
        } else if (c == 't') {
            o->habits.token_us = MS_TO_US(strtoul(optarg, NULL, 10));
        } else if (c == 'o') {
            o->only = optarg;
        } else if (c == 'j') {
            o->is_json = true;
        } else {
            return false;
        }
    }
    return argc - optind >= 2;
}

int main(int argc, char **argv)
{
    struct options o;
    if (!parse(argc, argv, &o)) {
        (void)fprintf(stderr, "usage: traffic [--client vscode|nvim|all] [--wrong PERCENT] "
                              "[--seed N] [--first MS] [--token MS] [--json] [--only POLICY] "
                              "FOLDER TRACE...\n");
        return 2;
    }
    if (!o.is_json) {
        printf("seed %llu; one slot, %llu ms to the first token, %llu ms a token, %u %% of answers "
               "wrong; ratios are to the perfect rider\n",
               (unsigned long long)o.habits.seed, (unsigned long long)o.habits.first_us / 1000,
               (unsigned long long)o.habits.token_us / 1000, o.habits.wrong_percent);
    }
    uint64_t n_wrong = 0;
    for (int i = optind + 1; i < argc; i++) {
        struct typing t;
        if (!typing_read(&t, argv[optind], argv[i])) {
            (void)fprintf(stderr, "%s: not a trace\n", argv[i]);
            return 2;
        }
        for (size_t c = 0; c < sizeof clients / sizeof *clients; c++) {
            if (strcmp(o.client, "all") == 0 || strcmp(o.client, clients[c].name) == 0) {
                n_wrong += measure(&t, &clients[c], &o);
            }
        }
        typing_release(&t);
    }
    return n_wrong > 0;
}
