/* screen.c - the ghost text that stands after the cursor, as editors keep it.
 *
 * VS Code and Neovim keep ghost text standing while it is typed as it says, until the next answer
 * takes its place; anything else takes it away (Neovim leaves a wrong rest, which is right for
 * nobody). */
#include "tests/bench/traffic/traffic.h"

static struct buf ghost;

void screen_begin(void)
{
    buf_init(&ghost, 1u << 20);
}

void screen_end(void)
{
    buf_release(&ghost);
}

void screen_clear(void)
{
    buf_clear(&ghost);
}

void screen_show(str text)
{
    buf_clear(&ghost);
    buf_append(&ghost, text);
}

str screen_text(void)
{
    return buf_str(&ghost);
}

void screen_on_step(const struct step *s, size_t cursor)
{
    bool is_typing = s->at == cursor && s->n_removed == 0 && s->cursor == s->at + s->text.len;
    if (is_typing && str_starts_with(buf_str(&ghost), s->text)) {
        buf_consume(&ghost, s->text.len);
    } else {
        buf_clear(&ghost);
    }
}

/* End of the first line that isn't empty. */
static size_t first_line(str text)
{
    size_t at = 0;
    while (at < text.len && text.ptr[at] == '\n') {
        at++;
    }
    size_t end = str_find_char(text, '\n', at);
    return end == SIZE_MAX ? text.len : end;
}

bool screen_is_right(str truth)
{
    str shown = str_sub(buf_str(&ghost), 0, first_line(buf_str(&ghost)));
    size_t n = shown.len < truth.len ? shown.len : truth.len;
    return n > 0 && str_eq(str_sub(shown, 0, n), str_sub(truth, 0, n));
}
