"""Networks with delays in continuous time: exact, event by event, in float64; small ones, to test kernels against.

    graph      neurons and synapses, any graph: feed-forward, recurrent, self-loops
    membrane   closed forms between events
    forward    from input spikes to a tape of spikes and arrivals
    losses     the three losses, and what each adds to the adjoint
    adjoint    from a tape to the gradients of all weights and delays (EventProp)

Nothing here knows of steps; NumPy is all it needs.
"""
