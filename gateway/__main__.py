"""`python -m gateway` is the command `imip-gateway`."""

import sys

from gateway.cli.main import main

sys.exit(main())
