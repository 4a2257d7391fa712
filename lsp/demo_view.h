/* demo_view.h - what the demo shows while it runs: a window on a terminal, else lines. */
#ifndef CRUCIBLE_LSP_DEMO_VIEW_H
#define CRUCIBLE_LSP_DEMO_VIEW_H

#include "core/document/document.h"
#include "lsp/terminal.h"

#define DEMO_VIEW_MAX_SPANS 256u

enum demo_view_kind {
    DEMO_VIEW_SILENT, /* --json */
    DEMO_VIEW_LINES,  /* a pipe, a file, NO_COLOR */
    DEMO_VIEW_WINDOW  /* redrawn in place */
};
struct demo_span { /* of the document */
    size_t start, end;
};
struct demo_view {
    enum demo_view_kind kind;
    struct terminal_frame frame;
    uint64_t start_us; /* times in lines count from here */
    struct buf typed;  /* owned: typed since the last line that was printed */
    /* Text that was accepted; ascending, since the cursor only moves on. */
    struct demo_span accepted[DEMO_VIEW_MAX_SPANS];
    size_t n_accepted;
};

struct demo_scene { /* borrowed for the call */
    const struct document *text;
    size_t cursor;
    str ghost;
    str title;   /* above the window */
    str last;    /* below it: the last answer */
    str figures; /* below that: what it comes to so far */
};

void demo_view_init(struct demo_view *v, enum demo_view_kind kind, uint64_t now_us);
void demo_view_release(struct demo_view *v); /* gives the terminal back */
/* Draws the scene; nothing but in a window. */
void demo_view_draw(struct demo_view *v, const struct demo_scene *scene);
void demo_view_resized(struct demo_view *v);
/* Text from `start` on was accepted: it keeps a colour of its own. */
void demo_view_accepted(struct demo_view *v, size_t start, size_t end);
/* One event for the lines: typed text is collected until something else happens or a line ends. */
void demo_view_typed(struct demo_view *v, str key, uint64_t now_us);
void demo_view_event(struct demo_view *v, const char *what, str text, str how, uint64_t now_us);

#endif
