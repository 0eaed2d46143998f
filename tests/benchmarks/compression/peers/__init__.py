"""Peers: other tools on the same model, each in an environment of its own, all measured alike."""
