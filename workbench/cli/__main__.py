"""`python -m workbench.cli`, the command without its script."""

from workbench.cli.main import main

raise SystemExit(main())
