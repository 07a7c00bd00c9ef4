/* Samples through the network on a bare processor. For each: a hash of all that neurons sent and showed at every step,
   how many logits are not as expected, and the ticks of the processor's counter, a line of text.

   With ASRC_TRACE the file keeps what the hash is made of; without it the counter tells what a device takes. */

#include "asrc_network.c"

#include "samples.h"

void put(const char *text);
void stop(void);
uint32_t ticks(void);
int main(void);

#if !__STDC_HOSTED__ /* compilers call these for loops like their own */
void *memset(void *to, int value, __SIZE_TYPE__ bytes) {
    volatile unsigned char *at = (volatile unsigned char *)to;
    while (bytes--) *at++ = (unsigned char)value;
    return to;
}

void *memcpy(void *to, const void *from, __SIZE_TYPE__ bytes) {
    volatile unsigned char *at = (volatile unsigned char *)to;
    const unsigned char *next = (const unsigned char *)from;
    while (bytes--) *at++ = *next++;
    return to;
}
#endif

static void put_number(uint32_t number) {
    char text[12];
    int32_t at = 11;
    text[at] = 0;
    do {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    put(text + at);
    put(" ");
}

#ifdef ASRC_TRACE
static uint32_t hashed(uint32_t hash, const int32_t *values, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) hash = (hash ^ (uint32_t)values[i]) * 16777619u;
    return hash;
}
#endif

static void run_sample(uint32_t sample) {
    int32_t x[ASRC_CHANNELS];
    uint32_t hash = 2166136261u, wrong = 0, counted = 0;
    asrc_init();
    for (uint32_t t = 0; t < STEPS; t++) {
        for (uint32_t c = 0; c < ASRC_CHANNELS; c++) x[c] = samples[(sample * STEPS + t) * ASRC_CHANNELS + c];
        const uint32_t before = ticks();
        asrc_step(x);
        counted += (ticks() - before) & TICKS_MASK;
#ifdef ASRC_TRACE
        hash = hashed(hash, asrc_trace_sent, sizeof asrc_trace_sent / 4);
        hash = hashed(hash, asrc_trace_shown, sizeof asrc_trace_shown / 4);
#endif
    }
    for (uint32_t i = 0; i < ASRC_CLASSES; i++) wrong += asrc_logits()[i] != expected[sample * ASRC_CLASSES + i];
    put_number(hash);
    put_number(wrong);
    put_number(counted);
    put("\n");
}

int main(void) {
    put("self-test ");
    put_number(asrc_self_test());
    put("\n");
    for (uint32_t i = 0; i < SAMPLES; i++) run_sample(i);
    put("done\n");
    stop();
    return 0;
}
