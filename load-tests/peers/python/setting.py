"""What whoever measures asks for, by environment."""

import os

SERVER = os.environ["PEER_SERVER"]
QUEUE = os.environ["PEER_QUEUE"]
# The best documented settings for many short tasks; otherwise the defaults, as they decide what a crash costs.
FAST = os.environ["PEER_SETTINGS"] == "fast"
