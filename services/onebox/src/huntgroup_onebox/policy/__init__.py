"""The policy of a domain as a file: read and checked, written, and compared with what a running system has."""
