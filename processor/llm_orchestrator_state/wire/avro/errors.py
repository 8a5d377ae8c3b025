"""What is wrong with bytes that are no datum of a schema."""


class AvroError(ValueError):
    """The bytes are no datum of the schema."""
