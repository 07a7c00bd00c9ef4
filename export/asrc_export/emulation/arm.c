/* A Cortex-M of QEMU's MPS2 boards: its vectors, text by semihosting, its system timer counting down. */

#define TICKS_MASK 0xffffffu

#include "harness.c"

extern uint32_t stack_top, data_start, data_end, data_kept, bss_start, bss_end;
void reset(void);

static void *const vectors[16] __attribute__((section(".vectors"), used)) = {&stack_top, (void *)reset};

static uint32_t host(uint32_t operation, const void *argument) {
    register uint32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = argument;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void put(const char *text) {
    host(0x04, text);
}

void stop(void) {
    host(0x18, (void *)0x20026);
}

static volatile uint32_t *const timer = (volatile uint32_t *)0xe000e010;

uint32_t ticks(void) {
    return 0u - timer[2];
}

void reset(void) {
    const uint32_t *from = &data_kept;
    for (uint32_t *to = &data_start; to < &data_end;) *to++ = *from++;
    for (uint32_t *to = &bss_start; to < &bss_end;) *to++ = 0;
    timer[1] = 0xffffff;
    timer[2] = 0;
    timer[0] = 5;
    main();
    for (;;) {
    }
}
