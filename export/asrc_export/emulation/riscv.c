/* A RISC-V core of QEMU's virt board: text through its serial port, its counter of retired instructions. */

#define TICKS_MASK 0xffffffffu

#include "harness.c"

__asm__(".section .init\n.globl _start\n_start:\n    la sp, stack_top\n    call main\n1:  j 1b\n");

void put(const char *text) {
    while (*text) *(volatile uint8_t *)0x10000000 = (uint8_t)*text++;
}

void stop(void) {
    *(volatile uint32_t *)0x100000 = 0x5555;
}

uint32_t ticks(void) {
    uint32_t count;
    __asm__ volatile("csrr %0, minstret" : "=r"(count));
    return count;
}
