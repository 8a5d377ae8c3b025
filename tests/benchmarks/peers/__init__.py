"""The same fold of the same log by others: Kafka Streams, Quix Streams and Faust beside the product's own worker.

``contest.py`` says who meets whom under which conditions, ``measurement.py`` how it is measured, ``java/`` and
``python/`` are the peers' programs.
"""
