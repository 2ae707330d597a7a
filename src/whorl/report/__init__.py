"""Self-contained HTML pages about outcomes: they read audits and attributions and run no method."""
