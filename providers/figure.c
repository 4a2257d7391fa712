/* figure.c - numbers that model servers give of their models. */
#include "providers/figure.h"

uint64_t figure_count(struct json n)
{
    int64_t value = json_int(n, 0);
    return value > 0 ? (uint64_t)value : 0;
}

uint64_t figure_params(str text)
{
    static const struct {
        char unit;
        double factor;
    } units[] = {{'K', 1e3}, {'M', 1e6}, {'B', 1e9}, {'T', 1e12}};
    double value = 0, scale = 1;
    bool is_fraction = false;
    for (size_t i = 0; i < text.len && i < 16; i++) {
        char c = text.ptr[i];
        if (c >= '0' && c <= '9') {
            value = value * 10 + (c - '0');
            scale = is_fraction ? scale * 10 : scale;
        } else if (c == '.') {
            is_fraction = true;
        } else {
            for (size_t k = 0; k < sizeof units / sizeof *units; k++) {
                double n = value / scale * units[k].factor;
                if (units[k].unit == c && n < 1e15) {
                    return (uint64_t)(n + 0.5);
                }
            }
            return 0;
        }
    }
    return 0;
}
