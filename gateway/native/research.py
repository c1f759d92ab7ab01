"""placeholder until research lands."""
ROUTES = ()
