/* Runs the self-test where there is a console: 0 if every logit is as expected. */

#include <stdio.h>

#include "asrc_network.h"

int main(void) {
    const unsigned wrong = (unsigned)asrc_self_test();
    printf("%u of %d logits are wrong\n", wrong, ASRC_CLASSES);
    return wrong != 0;
}
