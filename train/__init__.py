"""The longer training runs, whose weights the library keeps: ``make train``, or ``python -m train --help``.

One module a network, with

    NAME, SEED
    settings()               the arguments that build the model
    build(settings)          the model, before training
    fit(model, quick, checkpoint)
                             trains it; with `quick` for a moment only
    measure(model, quick)    what the stored weights are worth, as a dict of numbers, on the part named there
    notes()                  what else a user of the weights needs

An interrupted run goes on from its last epoch.
"""
