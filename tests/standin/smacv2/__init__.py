"""Stand-in for oxwhirl/smacv2."""
