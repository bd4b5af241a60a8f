"""Data: cut it, scale it, encode it, judge it, and read it from disk.

What lives where:

    windows     a series into windows and targets; splits by time; scalers; calendar features
    baselines   forecasts that need no network, and that a network has to beat
    metrics     errors with their definitions, scores of classes and of texts
    text        text into numbers, and numbers into batches
    ngrams      a language model that counts, and that a network has to beat
    tasks       the classical tasks for recurrent networks, with their oracles
    corpora     real data sets, read from pinned pip packages and checked by SHA-256

Everything here is NumPy. Nothing here knows an engine, and nothing here is a network.
"""
