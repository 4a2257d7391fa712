/* retry.c - trying again: budget, Retry-After, pauses.
 *
 * Why      Retries make a short fault invisible and a long one worse: three layers that try three
 *          times each ask twenty-seven times. So there is one layer and a budget for each endpoint.
 * How      Pauses are drawn from U(0, min(2 s, 100 ms * 2^n)), "full jitter" (Brooker, AWS 2015).
 *          Where the server says when, it is taken at its word, and a tenth of a second at most is
 *          added by chance, so that everybody whom it told the same doesn't come back at once.
 *          A request that never left is sent again immediately: nobody has had any work with it.
 * Rules    Tokens are whole tenths, so that the bound is exact. */
#include "core/upstream/retry.h"

#include "core/base/clock.h"

#define TENTHS_MAX   100u
#define BASE_US      MS_TO_US(100)
#define CAP_US       SEC_TO_US(2)
#define DAY_S        86400
#define MAX_SECONDS  (10ull * 365 * DAY_S) /* longer is as good as for ever */
#define DATE_MAX_LEN 64u

/* -- the budget -- */

void retry_budget_init(struct retry_budget *b)
{
    *b = (struct retry_budget){.n_tenths = TENTHS_MAX};
}

void retry_budget_hear(struct retry_budget *b, enum outcome outcome)
{
    if (outcome_is_failure(outcome)) {
        b->n_tenths = b->n_tenths > 10 ? b->n_tenths - 10 : 0;
    } else if (outcome == OUTCOME_OK || outcome == OUTCOME_SLOW) {
        b->n_tenths += b->n_tenths < TENTHS_MAX;
    }
}

bool retry_budget_allows(const struct retry_budget *b)
{
    return b->n_tenths > TENTHS_MAX / 2;
}

bool retry_resend(struct retry_budget *b)
{
    retry_budget_hear(b, OUTCOME_LOCAL);
    bool may = retry_budget_allows(b);
    b->n_given += may;
    b->n_denied += !may;
    return may;
}

/* -- dates -- */

struct date {
    int year, month, day, hour, minute, second; /* month and day from 1 */
};

static bool read_number(str s, size_t at, size_t n, int *out)
{
    uint64_t value;
    if (at + n > s.len || !str_to_u64(str_sub(s, at, at + n), 9999, &value)) {
        return false;
    }
    *out = (int)value;
    return true;
}

static bool read_month(str s, size_t at, int *out)
{
    static const char names[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    size_t found =
        s.len >= at + 3 ? str_find(str_from(names), str_sub(s, at, at + 3), 0) : SIZE_MAX;
    if (found == SIZE_MAX || found % 3 != 0) {
        return false;
    }
    *out = (int)(found / 3) + 1;
    return true;
}

static bool read_time(str s, size_t at, struct date *d)
{
    return at + 8 <= s.len && s.ptr[at + 2] == ':' && s.ptr[at + 5] == ':' &&
           read_number(s, at, 2, &d->hour) && read_number(s, at + 3, 2, &d->minute) &&
           read_number(s, at + 6, 2, &d->second);
}

/* "Sun, 06 Nov 1994 08:49:37 GMT" */
static bool read_fixdate(str s, struct date *d)
{
    return s.len == 29 && str_eq(str_sub(s, 3, 5), STR(", ")) &&
           str_eq(str_sub(s, 25, 29), STR(" GMT")) && s.ptr[7] == ' ' && s.ptr[11] == ' ' &&
           s.ptr[16] == ' ' && read_number(s, 5, 2, &d->day) && read_month(s, 8, &d->month) &&
           read_number(s, 12, 4, &d->year) && read_time(s, 17, d);
}

/* "Sunday, 06-Nov-94 08:49:37 GMT": years from 70 on are of the last century, which is all that
 * is needed of the rule that RFC 9110 has for them, as both dates are read here. */
static bool read_rfc850(str s, struct date *d)
{
    size_t comma = str_find(s, STR(", "), 0);
    if (comma == SIZE_MAX || s.len != comma + 24) {
        return false;
    }
    str rest = str_sub(s, comma + 2, s.len);
    if (rest.ptr[2] != '-' || rest.ptr[6] != '-' || rest.ptr[9] != ' ' ||
        !str_eq(str_sub(rest, 18, 22), STR(" GMT")) || !read_number(rest, 0, 2, &d->day) ||
        !read_month(rest, 3, &d->month) || !read_number(rest, 7, 2, &d->year) ||
        !read_time(rest, 10, d)) {
        return false;
    }
    d->year += d->year >= 70 ? 1900 : 2000;
    return true;
}

/* "Sun Nov  6 08:49:37 1994" */
static bool read_asctime(str s, struct date *d)
{
    if (s.len != 24 || s.ptr[3] != ' ' || s.ptr[7] != ' ' || s.ptr[10] != ' ' || s.ptr[19] != ' ') {
        return false;
    }
    bool is_short = s.ptr[8] == ' ';
    return read_number(s, is_short ? 9 : 8, is_short ? 1 : 2, &d->day) &&
           read_month(s, 4, &d->month) && read_number(s, 20, 4, &d->year) && read_time(s, 11, d);
}

/* Days since 1970-01-01 in the Gregorian calendar: years begin in March, so that the leap day is
 * their last, and the lengths of the months before it follow one line. */
static int64_t days_of(const struct date *d)
{
    int64_t year = d->month <= 2 ? d->year - 1 : d->year;
    int64_t month = d->month <= 2 ? d->month + 9 : d->month - 3;
    return year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + d->day - 1 -
           719468;
}

static bool read_date(str s, int64_t *seconds)
{
    struct date d = {0};
    s = str_trim(s);
    if (s.len > DATE_MAX_LEN ||
        !(read_fixdate(s, &d) || read_rfc850(s, &d) || read_asctime(s, &d))) {
        return false;
    }
    if (d.year < 1970 || d.day < 1 || d.day > 31 || d.hour > 23 || d.minute > 59 || d.second > 60) {
        return false;
    }
    *seconds = days_of(&d) * DAY_S + d.hour * 3600 + d.minute * 60 + d.second;
    return true;
}

static bool is_all_digits(str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9') {
            return false;
        }
    }
    return s.len > 0;
}

bool retry_after_read(str value, str date, uint64_t *wait_us)
{
    uint64_t seconds = MAX_SECONDS;
    int64_t until_s, now_s;
    value = str_trim(value);
    if (is_all_digits(value)) {
        uint64_t given;
        seconds = str_to_u64(value, MAX_SECONDS, &given) ? given : MAX_SECONDS;
    } else if (read_date(value, &until_s) && read_date(date, &now_s)) {
        seconds = until_s > now_s ? (uint64_t)(until_s - now_s) : 0;
    } else {
        return false;
    }
    *wait_us = SEC_TO_US(seconds < MAX_SECONDS ? seconds : MAX_SECONDS);
    return true;
}

/* -- the gate -- */

void retry_gate_close(struct retry_gate *g, uint64_t wait_us, uint64_t now_us)
{
    uint64_t until_us = now_us + (wait_us < RETRY_AFTER_MAX_US ? wait_us : RETRY_AFTER_MAX_US);
    g->until_us = until_us > g->until_us ? until_us : g->until_us;
}

uint64_t retry_gate_wait_us(const struct retry_gate *g, uint64_t now_us)
{
    return g->until_us > now_us ? g->until_us - now_us : 0;
}

/* -- the decision -- */

/* Why it can't be tried again whatever the budget says, or NULL. */
static const char *objection(const struct retry_failure *f)
{
    if (!outcome_is_failure(f->outcome)) {
        return "asking again gives the same";
    }
    if (f->has_shown) {
        return "some of its text was shown";
    }
    if (f->is_forbidden) {
        return "the server doesn't want it";
    }
    if (f->has_after && f->after_us > RETRY_AFTER_MAX_US) {
        return "the server wants to be left alone for longer than anybody waits";
    }
    if (!f->is_explicit && (f->has_left || f->n_made > 1)) {
        return "the next keystroke asks anyway";
    }
    return f->n_made > f->n_retries ? "it was tried often enough" : NULL;
}

static uint64_t pause_us(const struct retry_failure *f, double dice)
{
    if (!f->is_explicit) {
        return 0;
    }
    if (f->has_after) {
        return f->after_us + (uint64_t)(dice * (double)BASE_US);
    }
    unsigned shift = f->n_made - 1 < 10 ? f->n_made - 1 : 10;
    uint64_t most_us = BASE_US << shift;
    return (uint64_t)(dice * (double)(most_us < CAP_US ? most_us : CAP_US));
}

struct retry_decision retry_decide(struct retry_budget *b, const struct retry_failure *f,
                                   uint64_t now_us, double dice)
{
    const char *why_not = objection(f);
    if (why_not) {
        return (struct retry_decision){CLOCK_NEVER, why_not};
    }
    uint64_t at_us = now_us + pause_us(f, dice);
    if (f->deadline_us <= at_us || f->deadline_us - at_us <= f->expected_us) {
        return (struct retry_decision){CLOCK_NEVER, "there is no time left"};
    }
    if (!retry_budget_allows(b)) {
        b->n_denied++;
        return (struct retry_decision){CLOCK_NEVER, "too many calls fail to try each again"};
    }
    b->n_given++;
    return (struct retry_decision){at_us, f->is_explicit ? "tried again" : "sent again at once"};
}
