"""Speed and memory of lstm_lib beside torch.nn: ``make bench``, or ``python -m benchmarks --help``.

What lives where:

    plan         what is compared: sizes, suites, goals
    contestants  one training step or one inference of every implementation, as a function
    tutorial     the NumPy LSTM of a tutorial: the readable step in a loop
    timing       interleaved timing of several functions, and the ratios
    suites       runs a suite and returns its rows
    memory       peak memory of a training step, each in a process of its own
    record       what a result file says beside its numbers: machine, versions, threads
    results/     the files that ``make bench`` wrote; the book's performance page shows them

On a GPU (``make bench-gpu``, or what gpu_session.sh lists, in its order):

    gpu_correctness  every gate of correctness on a device, at the shapes of gpu_cases
    gpu              one command that measures, goes on where it was cut off, and keeps to a budget
    gpu_plan         what it measures: cells, goals, order, floors
    gpu_measure      the measurements; gpu_contestants and gpu_barrier are what they run
    gpu_warm         compiles kernels beforehand, in many processes
    device           a device's precisions, facts, clock and peaks
"""
