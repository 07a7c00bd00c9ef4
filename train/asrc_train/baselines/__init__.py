"""Dense recurrent networks to measure a spiking one against, trained on the same samples with the same budget."""
