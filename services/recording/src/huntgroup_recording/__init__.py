"""Recording: consent, media intake, retention and legal hold."""
