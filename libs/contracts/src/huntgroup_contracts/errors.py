"""What goes wrong with contracts, by name."""


class ContractMismatchError(Exception):
    """A class of a core and its protobuf message do not say the same; the text names both.

    Raised while a codec is built, that is when a service starts, never while it runs.
    """


class UnknownEventError(ValueError):
    """No event has this type, or this class is no event; the text names it."""


def class_name(core_class: type) -> str:
    """Return the name of a class as an error shows it: module and name."""
    return f"{core_class.__module__}.{core_class.__qualname__}"
