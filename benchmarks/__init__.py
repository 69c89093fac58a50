"""What the package costs beside its peers: equal answers first, then time and memory."""
