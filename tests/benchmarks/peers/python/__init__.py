"""The peers' programs in Python. They run in environments of their own, and import nothing of the product."""
