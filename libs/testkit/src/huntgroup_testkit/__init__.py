"""What tests share: virtual time, seeded faults and port suites."""
