/* A network at the other end of a serial line: commands come as letters, numbers as text; for each step goes back a
   hash of all that neurons sent and showed since the sample began. Whoever includes this file brings the line.

   b           begin a sample
   s x1 x2 ... a step on as many numbers as there are channels; the hash comes back
   l           the logits come back
   t           the self-test runs, and how many logits are wrong comes back */

#define ASRC_TRACE
#include "asrc_network.c"

int serial_get(void);      /* the next character, waiting for it; below 0 at the end */
void serial_put(char one); /* a character on its way */
void serial_serve(void);

static void put_number(int64_t number, char after) {
    char text[24];
    int at = 0;
    if (number < 0) serial_put('-'), number = -number;
    do {
        text[at++] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    while (at) serial_put(text[--at]);
    serial_put(after);
}

static int32_t get_number(void) {
    int one = serial_get(), negative = 0;
    uint32_t number = 0;
    while (one == ' ') one = serial_get();
    if (one == '-') negative = 1, one = serial_get();
    for (; one >= '0' && one <= '9'; one = serial_get()) number = 10 * number + (uint32_t)(one - '0');
    return negative ? -(int32_t)number : (int32_t)number;
}

static uint32_t hashed(uint32_t hash, const int32_t *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) hash = (hash ^ (uint32_t)values[i]) * 16777619u;
    return hash;
}

/* Serve until the line ends. */
void serial_serve(void) {
    static int32_t x[ASRC_CHANNELS];
    uint32_t hash = 2166136261u;
    for (int one = serial_get(); one >= 0; one = serial_get()) {
        if (one == 'b') {
            asrc_init();
            hash = 2166136261u;
        } else if (one == 's') {
            for (uint32_t i = 0; i < ASRC_CHANNELS; i++) x[i] = get_number();
            asrc_step(x);
            hash = hashed(hash, asrc_trace_sent, sizeof asrc_trace_sent / 4);
            hash = hashed(hash, asrc_trace_shown, sizeof asrc_trace_shown / 4);
            put_number((int64_t)hash, '\n');
        } else if (one == 'l') {
            for (uint32_t i = 0; i < ASRC_CLASSES; i++) put_number(asrc_logits()[i], i + 1 < ASRC_CLASSES ? ' ' : '\n');
        } else if (one == 't') {
            put_number((int64_t)asrc_self_test(), '\n');
        }
    }
}
