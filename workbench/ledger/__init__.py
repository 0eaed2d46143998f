"""The ledger: a row a step, what it costs, what it bought, and whether that is real."""
